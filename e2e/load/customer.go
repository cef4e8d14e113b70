package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// customer is somebody with a session and a connection that last.
type customer struct {
	load    *Load
	user    stand.User
	creds   *creds.Refreshing
	conn    *grpc.ClientConn
	command ordersv1.OrderCommandServiceClient
	query   ordersv1.OrderQueryServiceClient
	catalog ordersv1.CatalogServiceClient
}

// stock logs the administrator in and puts a product on sale.
func (l *Load) stock(ctx context.Context, auth *stand.Auth) error {
	admin, err := login(ctx, auth, stand.User{Email: l.config.AdminEmail, Password: l.config.AdminPassword})
	if err != nil {
		return fmt.Errorf("administrator: %w", err)
	}
	l.admin = admin.access
	conn, err := dial(l.config.Orders[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	request := &ordersv1.UpsertProductRequest{
		Product: &ordersv1.Product{
			Name: "products/" + l.sku, Title: "Load", Sellable: true, OnHandQuantity: pieces,
			UnitPrice: &money.Money{CurrencyCode: "EUR", Units: 1},
		},
		RequestId: uuid.NewString(),
	}
	err = patiently(stand.Bearer(ctx, l.admin), func(ctx context.Context) error {
		_, err := ordersv1.NewCatalogServiceClient(conn).UpsertProduct(ctx, request)
		return err
	})
	if err != nil {
		return fmt.Errorf("stock a product: %w", err)
	}
	return nil
}

// customers registers them and logs them in.
func (l *Load) customers(ctx context.Context, auth *stand.Auth) ([]*customer, error) {
	var all []*customer
	for n := range l.config.Customers {
		c := &customer{load: l}
		err := patiently(ctx, func(ctx context.Context) (err error) {
			c.user, err = auth.Register(ctx)
			return err
		})
		if err != nil {
			return all, err
		}
		s, err := login(ctx, auth, c.user)
		if err != nil {
			return all, err
		}
		if err := c.connect(auth, s, l.config.Orders[n%len(l.config.Orders)]); err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

// connect opens the one connection of the customer, which renews its token.
func (c *customer) connect(auth *stand.Auth, s session, target string) (err error) {
	store := creds.NewMemoryStore(creds.Pair{
		Access: creds.Token{Value: token.Raw(s.access), ExpiresAt: s.expires}, Refresh: token.Raw(s.refresh),
	})
	c.creds = creds.NewRefreshing(creds.Session(store, func(ctx context.Context, sent, retryKey token.Raw) (creds.Pair, error) {
		r, err := auth.Auth.RefreshTokens(ctx, &authv1.RefreshTokensRequest{RefreshToken: string(sent), RetryKey: []byte(retryKey)})
		return creds.Pair{
			Access:  creds.Token{Value: token.Raw(r.GetAccessToken()), ExpiresAt: r.GetAccessExpiresAt().AsTime()},
			Refresh: token.Raw(r.GetRefreshToken()),
		}, err
	}), creds.WithPlaintext())
	if c.conn, err = creds.Dial(creds.Target{Address: target, Plaintext: true}, c.creds); err != nil {
		c.creds.Close()
		return fmt.Errorf("connect a customer: %w", err)
	}
	c.command = ordersv1.NewOrderCommandServiceClient(c.conn)
	c.query = ordersv1.NewOrderQueryServiceClient(c.conn)
	c.catalog = ordersv1.NewCatalogServiceClient(c.conn)
	return nil
}

func (c *customer) close() {
	c.conn.Close()
	c.creds.Close()
}

// shop reads, orders, pays and cancels until ctx ends. finish bounds what has begun.
func (c *customer) shop(ctx, finish context.Context) {
	for n := 0; pause(ctx, c.load.config.Pause); n++ {
		switch n % 4 {
		case 0, 2:
			_ = c.call(finish, "read product", func(ctx context.Context) error {
				_, err := c.catalog.GetProduct(ctx, &ordersv1.GetProductRequest{Name: "products/" + c.load.sku})
				return err
			})
		case 1:
			_ = c.call(finish, "list orders", func(ctx context.Context) error {
				_, err := c.query.ListOrders(ctx, &ordersv1.ListOrdersRequest{Parent: c.user.Name, PageSize: 10})
				return err
			})
		case 3:
			c.order(finish, n/4)
		}
	}
}

// call makes one call as a normal client does and notes how it went.
func (c *customer) call(ctx context.Context, kind string, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	start := time.Now()
	err := call(ctx)
	c.load.called(kind, time.Since(start), err)
	return err
}

// settled makes a call and repeats it, with the same request id, for as long as
// its outcome is unknown: a person would.
func (c *customer) settled(ctx context.Context, kind string, call func(context.Context) error) error {
	err := c.call(ctx, kind, call)
	if err == nil || !transient(err) {
		return err
	}
	return patiently(ctx, call)
}

// order buys a piece; every other order is paid, and every fourth of those cancelled.
func (c *customer) order(ctx context.Context, n int) {
	request := &ordersv1.CreateOrderRequest{
		Parent: c.user.Name,
		Order: &ordersv1.Order{
			LineItems: []*ordersv1.LineItem{{Sku: c.load.sku, Quantity: 1}},
			ShippingAddress: &ordersv1.Address{
				Recipient: "A. Customer", AddressLines: []string{"1 Main Street"}, Locality: "Berlin", PostalCode: "10115", RegionCode: "DE",
			},
		},
		RequestId: uuid.NewString(),
	}
	var order *ordersv1.Order
	err := c.settled(ctx, "order", func(ctx context.Context) (err error) {
		order, err = c.command.CreateOrder(ctx, request)
		return err
	})
	if err != nil {
		c.load.note(func(v *Verdict) { v.Unsettled++ })
		return
	}
	c.load.note(func(v *Verdict) { v.Orders++ })
	if !strings.HasPrefix(order.GetName(), c.user.Name+"/") || n%2 == 0 {
		return
	}
	pay := &ordersv1.PayOrderRequest{Name: order.GetName(), PaymentMethodToken: "card", RequestId: uuid.NewString()}
	err = c.settled(ctx, "pay", func(ctx context.Context) error {
		_, err := c.command.PayOrder(ctx, pay)
		return err
	})
	if err != nil || n%8 != 1 {
		return
	}
	cancel := &ordersv1.CancelOrderRequest{Name: order.GetName(), RequestId: uuid.NewString()}
	_ = c.settled(ctx, "cancel", func(ctx context.Context) error {
		_, err := c.command.CancelOrder(ctx, cancel)
		if status.Code(err) == codes.FailedPrecondition {
			return nil // That is an answer: the payment is not decided yet.
		}
		return err
	})
}
