package rolling

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/curfew-platform/curfew/e2e/stand"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

const (
	queryWorkers = 4
	orderWorkers = 2
	freshWorkers = 2
	pause        = 5 * time.Millisecond // between the calls of a worker
	callLimit    = 10 * time.Second
	mostFailures = 5
	pieces       = 1_000_000
)

// serviceConfig is what the documentation of gRPC shows: balance over all
// endpoints, repeat what was UNAVAILABLE.
const serviceConfig = `{
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [{}],
    "retryPolicy": {
      "maxAttempts": 4, "initialBackoff": "0.05s", "maxBackoff": "0.5s", "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
}`

// load is a customer who reads, orders, and reads on a new connection each
// time.
type load struct {
	endpoints *endpoints
	conn      *grpc.ClientConn
	user      stand.User
	token     string
	sku       string

	queries, orders, fresh, failed atomic.Int64

	mu       sync.Mutex
	failures []string
}

func dial(target string, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(target, append(more,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(serviceConfig))...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", target, err)
	}
	return conn, nil
}

func newLoad(ctx context.Context, s *stand.Stand, e *endpoints) (*load, error) {
	conn, err := dial("rolling:///orders", grpc.WithResolvers(e.channel))
	if err != nil {
		return nil, err
	}
	l := &load{endpoints: e, conn: conn, sku: "rolling-" + strings.ToLower(uuid.NewString()[:13])}
	if err := l.open(ctx, s); err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

// open registers a customer and stocks a product.
func (l *load) open(ctx context.Context, s *stand.Stand) error {
	auth, err := s.DialAuth()
	if err != nil {
		return err
	}
	defer auth.Close()
	if l.user, err = auth.Register(ctx); err != nil {
		return err
	}
	customer, err := auth.Login(ctx, l.user)
	if err != nil {
		return err
	}
	admin, err := auth.Login(ctx, stand.User{Email: s.AdminEmail, Password: s.AdminPassword})
	if err != nil {
		return err
	}
	l.token = customer.GetAccessToken()
	_, err = ordersv1.NewCatalogServiceClient(l.conn).UpsertProduct(stand.Bearer(ctx, admin.GetAccessToken()), &ordersv1.UpsertProductRequest{
		Product: &ordersv1.Product{
			Name: "products/" + l.sku, Title: "Rolling", Sellable: true, OnHandQuantity: pieces,
			UnitPrice: &money.Money{CurrencyCode: "EUR", Units: 1},
		},
		RequestId: uuid.NewString(),
	})
	if err != nil {
		return fmt.Errorf("stock a product: %w", err)
	}
	return nil
}

func (l *load) close() { l.conn.Close() }

// begin starts the workers; the function it returns lets every one of them end
// its call, and waits for them.
func (l *load) begin(ctx context.Context) (stop func()) {
	enough := make(chan struct{})
	var workers sync.WaitGroup
	work := func(n int, name string, done *atomic.Int64, call func(context.Context) error) {
		for range n {
			workers.Go(func() {
				l.work(stand.Bearer(ctx, l.token), enough, name, done, call)
			})
		}
	}
	work(queryWorkers, "query", &l.queries, func(ctx context.Context) error { return l.query(ctx, l.conn) })
	work(orderWorkers, "order", &l.orders, l.order)
	work(freshWorkers, "query on a new connection", &l.fresh, l.dialAndQuery)
	return func() {
		close(enough)
		workers.Wait()
	}
}

func (l *load) work(ctx context.Context, enough <-chan struct{}, name string, done *atomic.Int64, call func(context.Context) error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-enough:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, callLimit)
		err := call(limited)
		cancel()
		if err == nil {
			done.Add(1)
			continue
		}
		l.failed.Add(1)
		l.mu.Lock()
		if len(l.failures) < mostFailures {
			l.failures = append(l.failures, name+": "+err.Error())
		}
		l.mu.Unlock()
	}
}

func (l *load) query(ctx context.Context, conn grpc.ClientConnInterface) error {
	_, err := ordersv1.NewCatalogServiceClient(conn).GetProduct(ctx, &ordersv1.GetProductRequest{Name: "products/" + l.sku})
	return err
}

// dialAndQuery is a client that has no connection yet: a job, a function, an
// ingress without a pool.
func (l *load) dialAndQuery(ctx context.Context) error {
	conn, err := dial("passthrough:///" + l.endpoints.pick())
	if err != nil {
		return err
	}
	defer conn.Close()
	return l.query(ctx, conn)
}

// order may be repeated by the client: the request id makes it the same order.
func (l *load) order(ctx context.Context) error {
	_, err := ordersv1.NewOrderCommandServiceClient(l.conn).CreateOrder(ctx, &ordersv1.CreateOrderRequest{
		Parent: l.user.Name,
		Order: &ordersv1.Order{
			LineItems: []*ordersv1.LineItem{{Sku: l.sku, Quantity: 1}},
			ShippingAddress: &ordersv1.Address{
				Recipient: "A. Customer", AddressLines: []string{"1 Main Street"}, Locality: "Berlin", PostalCode: "10115", RegionCode: "DE",
			},
		},
		RequestId: uuid.NewString(),
	})
	return err
}

func (l *load) count(r *Result) {
	r.Queries, r.Orders, r.Fresh, r.Failed = l.queries.Load(), l.orders.Load(), l.fresh.Load(), l.failed.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Failures = l.failures
}

// stored counts the customer's orders as the service lists them.
func (l *load) stored(ctx context.Context) (int64, error) {
	var n int64
	var token string
	for {
		page, err := ordersv1.NewOrderQueryServiceClient(l.conn).ListOrders(stand.Bearer(ctx, l.token),
			&ordersv1.ListOrdersRequest{Parent: l.user.Name, PageSize: 100, PageToken: token})
		if err != nil {
			return 0, fmt.Errorf("count orders: %w", err)
		}
		n += int64(len(page.GetOrders()))
		if token = page.GetNextPageToken(); token == "" {
			return n, nil
		}
	}
}
