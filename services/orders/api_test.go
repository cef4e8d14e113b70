package orders

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
	"github.com/curfew-platform/curfew/pkg/localenv/leak"
	"github.com/curfew-platform/curfew/pkg/server/keyset/keysettest"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// api is the service behind its real chain, with an issuer of tokens.
type api struct {
	*ordertest.Shop
	issuer  *tokentest.Issuer
	revoked *memory.Source
	conn    *grpc.ClientConn

	catalog  ordersv1.CatalogServiceClient
	commands ordersv1.OrderCommandServiceClient
	queries  ordersv1.OrderQueryServiceClient
	admin    ordersv1.OrderAdminServiceClient
	stats    ordersv1.OrderStatsServiceClient
}

// allServices is the default of --serve.
func allServices() []string {
	return []string{serveCatalog, serveCommand, serveQuery, serveAdmin, serveStats}
}

// newAPI serves what serve names, everything if it names nothing.
func newAPI(t *testing.T, serve ...string) *api {
	t.Helper()
	if len(serve) == 0 {
		serve = allServices()
	}
	guarded := ordertest.WithConfig(func(c *postgres.Config) { c.Guard = revocation.CommitGuard })
	// The fixtures of a shop are not calls, so they cannot pass the guard.
	a := &api{Shop: ordertest.NewShop(t), issuer: tokentest.New(t), revoked: memory.New()}
	store := a.Shop.Reopen(t, guarded)
	policy, err := newPolicy()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(leak.Writer("orders", nil), &slog.HandlerOptions{Level: slog.LevelDebug}))
	chain, err := interceptors.New(interceptors.Config{
		Verifier: a.issuer.Verifier(t), Revocation: a.revoked, Policy: policy, Logger: log, Audit: interceptors.AuditLog(log),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &services{store: store, pages: newPages(t), payments: a.Driver, changed: func() {}, owed: func() {}}
	register, _ := s.pick(&Config{Serve: serve})
	srv := grpc.NewServer(chain.ServerOptions()...)
	register(srv)
	if err := chain.Check(srv); err != nil {
		t.Fatal(err)
	}
	a.serve(t, srv)
	return a
}

func newPages(t *testing.T) *pagetoken.Sealer {
	t.Helper()
	return pagetoken.New(keysettest.New(t))
}

func (a *api) serve(t *testing.T, srv *grpc.Server) {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	conn, err := grpc.NewClient("passthrough:///orders", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	a.conn = conn
	a.catalog = ordersv1.NewCatalogServiceClient(conn)
	a.commands = ordersv1.NewOrderCommandServiceClient(conn)
	a.queries = ordersv1.NewOrderQueryServiceClient(conn)
	a.admin = ordersv1.NewOrderAdminServiceClient(conn)
	a.stats = ordersv1.NewOrderStatsServiceClient(conn)
}

// as returns the context of a caller.
func (a *api) as(t *testing.T, user uuid.UUID, roles ...string) context.Context {
	t.Helper()
	return withToken(t.Context(), a.issuer.User(t, user.String(), roles))
}

func withToken(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func euros(units int64) *money.Money { return &money.Money{CurrencyCode: "EUR", Units: units} }

// createRequest is a good request for one unit of each SKU.
func createRequest(user uuid.UUID, skus ...string) *ordersv1.CreateOrderRequest {
	r := &ordersv1.CreateOrderRequest{
		Parent: "users/" + user.String(), RequestId: uuid.NewString(),
		Order: &ordersv1.Order{ShippingAddress: &ordersv1.Address{Recipient: "Ada", AddressLines: []string{"1 Street"}, Locality: "Town", RegionCode: "DE"}},
	}
	for _, sku := range skus {
		r.Order.LineItems = append(r.Order.LineItems, &ordersv1.LineItem{Sku: sku, Quantity: 1})
	}
	return r
}

// order makes an order of the user and returns its name.
func (a *api) order(t *testing.T, user uuid.UUID) string {
	t.Helper()
	if p, err := a.Store.GetProduct(t.Context(), ordertest.SKU(0)); err != nil || p == nil {
		a.Product(t, ordertest.SKU(0), 1000, 1000)
	}
	o := a.Order(t, user, ordertest.SKU(0))
	return "users/" + user.String() + "/orders/" + o.ID.String()
}

// noteRequest changes the note of an order.
func noteRequest(name, note string) *ordersv1.UpdateOrderRequest {
	return &ordersv1.UpdateOrderRequest{
		Order:      &ordersv1.Order{Name: name, CustomerNote: note},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"customer_note"}}, RequestId: uuid.NewString(),
	}
}

// statsRequest asks for the days around now.
func statsRequest() *ordersv1.QueryOrderStatsRequest {
	return &ordersv1.QueryOrderStatsRequest{
		StartTime: timestamppb.New(time.Now().Add(-24 * time.Hour)), EndTime: timestamppb.New(time.Now().Add(24 * time.Hour)),
		Granularity: ordersv1.QueryOrderStatsRequest_GRANULARITY_DAY,
	}
}
