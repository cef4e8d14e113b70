package platform

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/stand"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// customer is a user of this test alone.
func customer(t *testing.T) (stand.User, *authv1.LoginResponse) {
	t.Helper()
	auth, err := platform.DialAuth()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(auth.Close)
	user, err := auth.Register(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	login, err := auth.Login(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return user, login
}

func orders(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := stand.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// resign returns the token with another header and claims, signed by sign.
func resign(t *testing.T, token string, header map[string]any, change func(map[string]any), sign func(string) []byte) string {
	t.Helper()
	parts := strings.Split(token, ".")
	claims := map[string]any{}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(claims)
	}
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := encode(header) + "." + encode(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(sign(text))
}

// publicKey is the bytes of the first key of the published set.
func publicKey(t *testing.T) (kid string, key []byte) {
	t.Helper()
	res, err := http.Get(platform.HTTP + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var set struct {
		Keys []struct {
			KeyID string `json:"kid"`
			X     string `json:"x"`
		} `json:"keys"`
	}
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	key, err = base64.RawURLEncoding.DecodeString(set.Keys[0].X)
	if err != nil {
		t.Fatal(err)
	}
	return set.Keys[0].KeyID, key
}

func TestAHostileTokenIsRefusedWithItsReason(t *testing.T) {
	user, login := customer(t)
	token := login.GetAccessToken()
	kid, key := publicKey(t)
	good := strings.Split(token, ".")
	hs256 := func(text string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	none := func(string) []byte { return nil }
	client := ordersv1.NewOrderQueryServiceClient(orders(t, platform.Orders[0]))
	for name, test := range map[string]struct{ token, reason string }{
		"not a token":           {"nonsense", "TOKEN_MALFORMED"},
		"a part is missing":     {good[0] + "." + good[1], "TOKEN_MALFORMED"},
		"signature changed":     {good[0] + "." + good[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), "TOKEN_MALFORMED"},
		"alg none":              {resign(t, token, map[string]any{"alg": "none", "typ": "at+jwt", "kid": kid}, nil, none), "TOKEN_MALFORMED"},
		"HS256 with public key": {resign(t, token, map[string]any{"alg": "HS256", "typ": "at+jwt", "kid": kid}, nil, hs256), "TOKEN_MALFORMED"},
		"a refresh token":       {login.GetRefreshToken(), "TOKEN_MALFORMED"},
		"expired, not signed":   {resign(t, token, map[string]any{"alg": "EdDSA", "typ": "at+jwt", "kid": kid}, func(c map[string]any) { c["exp"] = 1 }, none), "TOKEN_MALFORMED"},
	} {
		_, err := client.ListOrders(stand.Bearer(t.Context(), test.token), &ordersv1.ListOrdersRequest{Parent: user.Name})
		if status.Code(err) != codes.Unauthenticated || stand.Reason(err) != test.reason {
			t.Errorf("%s: %v, want %s", name, err, test.reason)
		}
		if err != nil && strings.Contains(err.Error(), test.token) {
			t.Errorf("%s: the error quotes the token", name)
		}
	}
	if _, err := client.ListOrders(t.Context(), &ordersv1.ListOrdersRequest{Parent: user.Name}); stand.Reason(err) != "TOKEN_MISSING" {
		t.Errorf("no token: %v", err)
	}
}

func TestAMegabyteOfMetadataIsRefusedAndTheServerGoesOn(t *testing.T) {
	user, login := customer(t)
	client := ordersv1.NewOrderQueryServiceClient(orders(t, platform.Orders[0]))
	ctx := stand.Bearer(t.Context(), login.GetAccessToken())
	huge := metadata.AppendToOutgoingContext(ctx, "x-huge", strings.Repeat("a", 1<<20))
	if _, err := client.ListOrders(huge, &ordersv1.ListOrdersRequest{Parent: user.Name}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("1 MiB of metadata: %v", err)
	}
	if _, err := client.ListOrders(ctx, &ordersv1.ListOrdersRequest{Parent: user.Name}); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestABadOrderIsRefusedWithTheFieldThatIsWrong(t *testing.T) {
	user, login := customer(t)
	client := ordersv1.NewOrderCommandServiceClient(orders(t, platform.Orders[0]))
	ctx := stand.Bearer(t.Context(), login.GetAccessToken())
	address := &ordersv1.Address{Recipient: "A", AddressLines: []string{"1"}, Locality: "B", PostalCode: "1", RegionCode: "DE"}
	line := func(sku string, quantity int32, price *money.Money) *ordersv1.Order {
		return &ordersv1.Order{ShippingAddress: address, LineItems: []*ordersv1.LineItem{{Sku: sku, Quantity: quantity, ExpectedUnitPrice: price}}}
	}
	many := &ordersv1.Order{ShippingAddress: address}
	for i := range 101 {
		many.LineItems = append(many.LineItems, &ordersv1.LineItem{Sku: fmt.Sprintf("p%d", i), Quantity: 1})
	}
	for name, test := range map[string]struct {
		order *ordersv1.Order
		code  codes.Code
	}{
		"no lines":          {&ordersv1.Order{ShippingAddress: address}, codes.InvalidArgument},
		"101 lines":         {many, codes.InvalidArgument},
		"negative quantity": {line("p", -1, nil), codes.InvalidArgument},
		"overflow quantity": {line("p", math.MaxInt32, nil), codes.InvalidArgument},
		"overflow money":    {line("p", 1, &money.Money{CurrencyCode: "EUR", Units: math.MaxInt64, Nanos: 999_999_999}), codes.InvalidArgument},
		"unknown product":   {line("no-such-product", 1, nil), codes.FailedPrecondition},
	} {
		_, err := client.CreateOrder(ctx, &ordersv1.CreateOrderRequest{Parent: user.Name, Order: test.order, RequestId: uuid.NewString()})
		if status.Code(err) != test.code || stand.Reason(err) == "" {
			t.Errorf("%s: %v, want %v with a reason", name, err, test.code)
		}
	}
	if _, err := client.CreateOrder(ctx, &ordersv1.CreateOrderRequest{Parent: user.Name, Order: line("p", 1, nil)}); stand.Reason(err) != "REQUEST_ID_REQUIRED" && status.Code(err) != codes.InvalidArgument {
		t.Errorf("no request id: %v", err)
	}
}

func TestAPageTokenThatWasChangedIsRefused(t *testing.T) {
	user, login := customer(t)
	client := ordersv1.NewOrderQueryServiceClient(orders(t, platform.Orders[0]))
	ctx := stand.Bearer(t.Context(), login.GetAccessToken())
	for _, token := range []string{"AAAA", "!", strings.Repeat("A", 5000)} {
		_, err := client.ListOrders(ctx, &ordersv1.ListOrdersRequest{Parent: user.Name, PageToken: token})
		if status.Code(err) != codes.InvalidArgument || stand.Reason(err) == "" {
			t.Errorf("token of %d characters: %v", len(token), err)
		}
	}
}

func TestAForeignOrderIsDenied(t *testing.T) {
	_, login := customer(t)
	other, _ := customer(t)
	client := ordersv1.NewOrderQueryServiceClient(orders(t, platform.Orders[0]))
	for _, parent := range []string{other.Name, "users/-"} {
		_, err := client.ListOrders(stand.Bearer(t.Context(), login.GetAccessToken()), &ordersv1.ListOrdersRequest{Parent: parent})
		if status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s: %v", parent, err)
		}
	}
}

// The HTTP edge is the chain too: what needs a token there needs one here.
func TestTheHTTPEdgeAsksForATokenAsWell(t *testing.T) {
	user, login := customer(t)
	url := platform.HTTP + "/orders/v1/" + user.Name + "/orders"
	for name, test := range map[string]struct {
		token string
		code  int
	}{
		"none": {"", http.StatusUnauthorized},
		"good": {login.GetAccessToken(), http.StatusOK},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.token != "" {
			req.Header.Set("Authorization", "Bearer "+test.token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != test.code {
			t.Errorf("token %s: %d, want %d: %s", name, res.StatusCode, test.code, body)
		}
	}
}
