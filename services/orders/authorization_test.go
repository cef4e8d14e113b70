package orders

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
)

// calls returns one good call of every method, on the order and in the name of
// its owner.
func (a *api) calls(owner uuid.UUID, name string) map[string]func(context.Context) error {
	parent, id := "users/"+owner.String(), uuid.NewString
	return map[string]func(context.Context) error{
		"CreateOrder": func(ctx context.Context) error {
			_, err := a.commands.CreateOrder(ctx, createRequest(owner, ordertest.SKU(0)))
			return err
		},
		"UpdateOrder": func(ctx context.Context) error {
			_, err := a.commands.UpdateOrder(ctx, noteRequest(name, "note"))
			return err
		},
		"GetOrder": func(ctx context.Context) error {
			_, err := a.queries.GetOrder(ctx, &ordersv1.GetOrderRequest{Name: name})
			return err
		},
		"ListOrders": func(ctx context.Context) error {
			_, err := a.queries.ListOrders(ctx, &ordersv1.ListOrdersRequest{Parent: parent})
			return err
		},
		"PayOrder": func(ctx context.Context) error {
			_, err := a.commands.PayOrder(ctx, &ordersv1.PayOrderRequest{Name: name, PaymentMethodToken: "card", RequestId: id()})
			return err
		},
		"CancelOrder": func(ctx context.Context) error {
			_, err := a.commands.CancelOrder(ctx, &ordersv1.CancelOrderRequest{Name: name, RequestId: id()})
			return err
		},
		"SearchOrders": func(ctx context.Context) error {
			_, err := a.admin.SearchOrders(ctx, &ordersv1.SearchOrdersRequest{})
			return err
		},
		"GrantPoints": func(ctx context.Context) error {
			_, err := a.admin.GrantPoints(ctx, &ordersv1.GrantPointsRequest{Parent: parent, Points: 1, RequestId: id()})
			return err
		},
		"QueryOrderStats": func(ctx context.Context) error {
			_, err := a.stats.QueryOrderStats(ctx, statsRequest())
			return err
		},
		"ListProducts": func(ctx context.Context) error {
			_, err := a.catalog.ListProducts(ctx, &ordersv1.ListProductsRequest{})
			return err
		},
		"GetProduct": func(ctx context.Context) error {
			_, err := a.catalog.GetProduct(ctx, &ordersv1.GetProductRequest{Name: "products/" + ordertest.SKU(0)})
			return err
		},
		"UpsertProduct": func(ctx context.Context) error {
			_, err := a.catalog.UpsertProduct(ctx, upsertRequest("products/other"))
			return err
		},
	}
}

// What each role may do with its own orders and with those of others. A foreign
// order is refused by its name, before any statement is sent.
func TestARefusedCallSendsNoStatement(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Product(t, ordertest.SKU(0), 1000, 1000)
	everybody := []string{"ListProducts", "GetProduct"}
	own := append([]string{"CreateOrder", "UpdateOrder", "GetOrder", "ListOrders", "PayOrder", "CancelOrder"}, everybody...)
	staff := []string{"SearchOrders", "GrantPoints", "QueryOrderStats", "UpsertProduct"}
	for _, c := range []struct {
		name    string
		roles   []string
		foreign bool
		allowed []string
	}{
		{"a customer, own order", []string{"customer"}, false, own},
		{"a customer, order of another", []string{"customer"}, true, everybody},
		{"an admin, own order", []string{"admin"}, false, append(own, staff...)},
		{"an admin, order of another", []string{"admin"}, true, append(append([]string{"GetOrder", "ListOrders", "CancelOrder"}, everybody...), staff...)},
		{"an operator", []string{"operator"}, false, append([]string{"QueryOrderStats"}, everybody...)},
		{"nobody's role", nil, false, nil},
		{"a service", []string{"service"}, false, nil},
	} {
		allowed := map[string]bool{}
		for _, m := range c.allowed {
			allowed[m] = true
		}
		caller := uuid.New()
		owner := caller
		if c.foreign {
			owner = uuid.New()
		}
		ctx := a.as(t, caller, c.roles...)
		for method := range a.calls(owner, "") {
			o := a.Order(t, owner, ordertest.SKU(0))
			a.Statements.Take()
			err := a.calls(owner, "users/"+owner.String()+"/orders/"+o.ID.String())[method](ctx)
			sql, _ := a.Statements.Take()
			switch {
			case allowed[method] && err != nil:
				t.Errorf("%s: %s: %v", c.name, method, err)
			case !allowed[method] && status.Reason(err) != "PERMISSION_DENIED":
				t.Errorf("%s: %s: got %v", c.name, method, err)
			case !allowed[method] && len(sql) != 0:
				t.Errorf("%s: %s was refused after %d statements", c.name, method, len(sql))
			}
		}
	}
}

func TestACallWithoutAGoodTokenSendsNoStatement(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	owner := uuid.New()
	o := a.order(t, owner)
	revoked := a.issuer.User(t, owner.String(), []string{"customer"}, tokentest.Claims{"jti": "stolen"})
	if _, err := a.revoked.Revoke(a.tokenRule("stolen")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ctx    context.Context
		reason string
	}{
		"none":                {t.Context(), "TOKEN_MISSING"},
		"garbage":             {withToken(t.Context(), "garbage"), "TOKEN_MALFORMED"},
		"expired":             {withToken(t.Context(), a.issuer.User(t, owner.String(), nil, tokentest.Claims{"iat": 1, "nbf": 1, "exp": 2, "auth_time": 1})), "TOKEN_EXPIRED"},
		"of another audience": {withToken(t.Context(), a.issuer.User(t, owner.String(), nil, tokentest.Claims{"aud": "others"})), "TOKEN_WRONG_AUDIENCE"},
		"alg none":            {withToken(t.Context(), a.issuer.Sign(t, tokentest.Claims{"alg": "none", "typ": "at+jwt"}, tokentest.Claims{"iss": a.issuer.URL})), "TOKEN_MALFORMED"},
		"revoked":             {withToken(t.Context(), revoked), "TOKEN_REVOKED"},
	} {
		for method, call := range a.calls(owner, o) {
			a.Statements.Take()
			err := call(c.ctx)
			sql, _ := a.Statements.Take()
			if status.Code(err) != codes.Unauthenticated || status.Reason(err) != c.reason || len(sql) != 0 {
				t.Errorf("token %s: %s: %d statements, %v", name, method, len(sql), err)
			}
		}
	}
}

// A caller who is revoked while the command runs does not get its effect: the
// guard is asked right before the commit.
func TestACommandOfACallerRevokedMeanwhileDoesNotCommit(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	owner := uuid.New()
	name := a.order(t, owner)
	ctx := withToken(t.Context(), a.issuer.User(t, owner.String(), []string{"customer"}, tokentest.Claims{"jti": "taken-away"}))
	// Another transaction holds the order until the token is revoked.
	tx, err := a.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT 1 FROM orders FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := a.commands.CancelOrder(ctx, &ordersv1.CancelOrderRequest{Name: name, RequestId: uuid.NewString()})
		done <- err
	}()
	a.Until(t, ordertest.LockAwaited)
	if _, err := a.revoked.Revoke(a.tokenRule("taken-away")); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; status.Reason(err) != "TOKEN_REVOKED" {
		t.Errorf("got %v", err)
	}
	got, err := a.queries.GetOrder(a.as(t, owner, "customer"), &ordersv1.GetOrderRequest{Name: name})
	if err != nil || got.GetState() != ordersv1.Order_STATE_PENDING_PAYMENT {
		t.Errorf("the order is in %v, %v", got.GetState(), err)
	}
}

// tokenRule revokes one token.
func (a *api) tokenRule(id string) revocation.Rule {
	return revocation.Rule{Kind: revocation.KindToken, Issuer: a.issuer.URL, ID: id, KeepUntil: time.Now().Add(time.Hour)}
}
