package ordertest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
	"github.com/curfew-platform/curfew/services/orders/internal/payment/simulated"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// Shop is an orders database of one test with all that works on it.
type Shop struct {
	Store *postgres.Store
	// Statements that Store sends; those of the provider are not among them.
	Statements *Statements
	// DB is a pool of the test itself, as superuser.
	DB       *pgxpool.Pool
	URL      string
	Provider payment.Provider
	Driver   *payment.Driver
	Worker   *payment.Worker

	config postgres.Config
}

// Option changes a Shop before it opens.
type Option func(*settings)

type settings struct {
	config   postgres.Config
	provider func(payment.Provider) payment.Provider
	decide   []simulated.Option
}

// WithConfig changes the configuration of the store.
func WithConfig(change func(*postgres.Config)) Option {
	return func(s *settings) { change(&s.config) }
}

// WithProvider wraps the simulated provider.
func WithProvider(wrap func(payment.Provider) payment.Provider) Option {
	return func(s *settings) { s.provider = wrap }
}

// WithDecision decides which operations the simulated provider accepts.
func WithDecision(accepts func(payment.Attempt) bool) Option {
	return func(s *settings) { s.decide = append(s.decide, simulated.WithDecision(accepts)) }
}

// migrate is one function, so that all tests of a binary share one template.
func migrate(ctx context.Context, url string) error {
	return database.Migrate(ctx, url, "", postgres.Migrations(), slog.New(slog.DiscardHandler))
}

// NewShop opens a shop on a database of its own.
func NewShop(t testing.TB, options ...Option) *Shop {
	t.Helper()
	s := &Shop{URL: pgtest.Database(t, migrate), Statements: &Statements{}}
	set := &settings{provider: func(p payment.Provider) payment.Provider { return p }}
	set.config = postgres.Config{
		Database: database.Source{URL: s.URL}, PaymentWindow: time.Hour, Provider: simulated.Name, Takeover: time.Minute, StatsTimeout: 5 * time.Second,
		Guard: func(context.Context) error { return nil }, Tracer: s.Statements,
	}
	for _, o := range options {
		o(set)
	}
	var err error
	if s.Store, err = postgres.Open(t.Context(), set.config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Store.Close)
	s.config = set.config
	if s.DB, err = pgxpool.New(t.Context(), s.URL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.DB.Close)
	s.Provider = set.provider(simulated.New(s.DB, set.decide...))
	s.Driver = payment.NewDriver(s.Store, s.Provider, payment.Timeouts{Call: 5 * time.Second, Apply: 10 * time.Second}, slog.New(slog.DiscardHandler))
	s.Worker = payment.NewWorker(s.Driver, 10*time.Millisecond)
	return s
}

// Request is a new request of a user to a method.
func Request(user uuid.UUID, method string) postgres.Request {
	return postgres.Request{
		Actor:  order.Actor{Kind: order.ByCustomer, Principal: "users/" + user.String()},
		Method: "/curfew.orders.v1.Test/" + method, ID: uuid.New(), Hash: []byte(method),
	}
}

// Staff is a new request of staff.
func Staff(method string) postgres.Request {
	r := Request(uuid.New(), method)
	r.Actor.Kind = order.ByStaff
	return r
}

// PayRequest is a new request of a user to pay.
func PayRequest(user uuid.UUID) postgres.Request {
	r := Request(user, "PayOrder")
	r.Method = postgres.PayMethod
	return r
}

// Product puts a product into the catalog: price in cents of EUR, and stock.
func (s *Shop) Product(t testing.TB, sku string, price, stock int64) {
	t.Helper()
	_, err := s.Store.UpsertProduct(context.Background(), Staff("UpsertProduct"), postgres.ProductChange{
		SKU: sku, Title: "Product " + sku, Currency: "EUR", UnitMinor: price, Sellable: true, OnHand: stock,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Products puts n products sku-000... into the catalog.
func (s *Shop) Products(t testing.TB, n int, price, stock int64) {
	t.Helper()
	for i := range n {
		s.Product(t, SKU(i), price, stock)
	}
}

// SKU is the i-th of Products.
func SKU(i int) string { return fmt.Sprintf("sku-%03d", i) }

// Points gives points to a user.
func (s *Shop) Points(t testing.TB, user uuid.UUID, points int64) {
	t.Helper()
	if _, err := s.Store.GrantPoints(context.Background(), Staff("GrantPoints"), user, points); err != nil {
		t.Fatal(err)
	}
}

// NewOrder is an order of one unit of each SKU.
func NewOrder(user uuid.UUID, skus ...string) postgres.NewOrder {
	n := postgres.NewOrder{ID: uuid.Must(uuid.NewV7()), User: user, Address: Address()}
	for _, sku := range skus {
		n.Wishes = append(n.Wishes, order.Wish{SKU: sku, Quantity: 1})
	}
	return n
}

// Address is where everything is sent to.
func Address() order.Address {
	return order.Address{Recipient: "Ada", Lines: []string{"1 Street"}, Locality: "Town", Region: "DE"}
}

// Order creates an order of one unit of each SKU.
func (s *Shop) Order(t testing.TB, user uuid.UUID, skus ...string) *order.Order {
	t.Helper()
	o, err := s.Store.CreateOrder(context.Background(), Request(user, "CreateOrder"), NewOrder(user, skus...))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Pay pays an order as the handler does.
func (s *Shop) Pay(ctx context.Context, req postgres.Request, o *order.Order, token string) (*order.Order, error) {
	n := postgres.NewPayment{User: o.User, Order: o.ID, MethodToken: token}
	paid, attempt, err := s.Store.BeginPayment(ctx, req, n)
	if err != nil || attempt == nil {
		return paid, err
	}
	if err := s.Driver.Drive(ctx, attempt); err != nil {
		return nil, err
	}
	return s.Store.PaymentOutcome(ctx, req, n)
}

// Settle lets the worker finish what is due now.
func (s *Shop) Settle(t testing.TB) {
	t.Helper()
	for {
		worked, err := s.Worker.Step(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !worked {
			return
		}
	}
}

// DueNow makes every open attempt due.
func (s *Shop) DueNow(t testing.TB) {
	t.Helper()
	if _, err := s.DB.Exec(context.Background(), `UPDATE payment_attempts SET next_check_time = now() WHERE state IN ('in_flight', 'indeterminate')`); err != nil {
		t.Fatal(err)
	}
}

// Read returns the order in the full view.
func (s *Shop) Read(t testing.TB, o *order.Order) *order.Order {
	t.Helper()
	got, err := s.Store.GetOrder(context.Background(), o.User, o.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Reserved is how much of the SKU orders have reserved.
func (s *Shop) Reserved(t testing.TB, sku string) int64 {
	t.Helper()
	p, err := s.Store.GetProduct(context.Background(), sku)
	if err != nil {
		t.Fatal(err)
	}
	return p.Reserved
}

// Reopen opens another store on the shop's database, counted by the same
// Statements.
func (s *Shop) Reopen(t testing.TB, options ...Option) *postgres.Store {
	t.Helper()
	set := &settings{config: s.config}
	for _, o := range options {
		o(set)
	}
	store, err := postgres.Open(t.Context(), set.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}
