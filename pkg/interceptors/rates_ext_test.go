package interceptors_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/address"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/rate"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// few admits that many calls at once, and then none for a long time.
func few(n int) rate.Limit { return rate.Limit{PerSecond: 0.001, Burst: n} }

// get makes one unary call, watch opens one stream and takes one message.
func (h *harness) get(ctx context.Context) error {
	return shop.Call(ctx, h.conn, "Get", shop.Message{Name: "users/u1/things/1"})
}

func (h *harness) watch(ctx context.Context) error {
	stream, err := shop.Open(ctx, h.conn, "Watch")
	if err != nil {
		return err
	}
	// A stream that was refused already takes no message: RecvMsg says why.
	if err := stream.SendMsg(shop.Message{Name: "users/u1/things/1"}.Proto()); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if err := stream.RecvMsg(shop.Message{}.Proto()); status.Code(err) != codes.Unknown { // io.EOF
		return err
	}
	return nil
}

func tooOften(t *testing.T, err error) {
	t.Helper()
	want(t, err, codes.ResourceExhausted, "RATE_LIMITED")
	if d := status.Detail[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration(); d < time.Minute || d > 20*time.Minute {
		t.Errorf("try again after %s", d)
	}
}

func TestACallerIsLimitedOverUnaryCallsAndStreamsTogether(t *testing.T) {
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Rates.Identity = few(3) })
	mine := with(t, h.issuer.User(t, "u1", []string{"customer"}))
	for i, call := range []func(context.Context) error{h.get, h.watch} {
		if err := call(mine); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	// A denied call counts, another token of the same subject does not help.
	other := with(t, h.issuer.User(t, "u1", []string{"customer"}))
	want(t, shop.Call(other, h.conn, "Get", shop.Message{Name: "users/u2/things/1"}), codes.PermissionDenied, "PERMISSION_DENIED")
	tooOften(t, h.get(mine))
	tooOften(t, h.watch(mine))
	tooOften(t, h.get(other))
	if err := shop.Call(with(t, h.issuer.User(t, "u2", []string{"customer"})), h.conn, "Get", shop.Message{Name: "users/u2/things/1"}); err != nil {
		t.Errorf("another subject: %v", err)
	}
	if err := shop.Call(with(t, ""), h.conn, "Login", shop.Message{}); err != nil {
		t.Errorf("a public method: %v", err)
	}
}

// A service asks for all of its own callers; they are limited where they call.
func TestAServiceIsNotLimitedAsOneCaller(t *testing.T) {
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Rates.Identity = few(1) })
	service := with(t, h.issuer.Service(t, "orders"))
	for range 5 {
		if err := shop.Call(service, h.conn, "Peek", shop.Message{}); err != nil {
			t.Error(err)
		}
	}
}

// Who has a stolen token that was revoked must not lock its owner out.
func TestARevokedTokenUsesUpNothingOfItsOwner(t *testing.T) {
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Rates.Identity = few(1) })
	stolen := h.issuer.User(t, "u1", []string{"customer"})
	id, err := h.issuer.Verifier(t).Verify(t.Context(), stolen)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.source.Revoke(revocation.Rule{Kind: revocation.KindToken, Issuer: token.CurfewIssuer, ID: id.TokenID, KeepUntil: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		want(t, h.get(with(t, stolen)), codes.Unauthenticated, "TOKEN_REVOKED")
	}
	if err := h.get(with(t, h.issuer.User(t, "u1", []string{"customer"}))); err != nil {
		t.Errorf("the owner: %v", err)
	}
}

// network serves the chain of h on a real address.
func (h *harness) network(t *testing.T) {
	t.Helper()
	server := grpc.NewServer(h.chain.ServerOptions()...)
	h.service.Register(server)
	healthpb.RegisterHealthServer(server, health.NewServer())
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(lis)
	}()
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		<-served
	})
	h.conn = conn
}

func TestAnAddressIsLimitedBeforeItsTokenIsVerified(t *testing.T) {
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Rates.Address = few(3) })
	h.network(t)
	want(t, h.get(with(t, "not.a.token")), codes.Unauthenticated, "TOKEN_MALFORMED")
	if err := shop.Call(with(t, ""), h.conn, "Login", shop.Message{}); err != nil {
		t.Fatal(err)
	}
	good := with(t, h.issuer.User(t, "u1", []string{"customer"}))
	if err := h.watch(good); err != nil {
		t.Fatal(err)
	}
	for _, ctx := range []context.Context{good, with(t, "not.a.token")} {
		tooOften(t, h.get(ctx))
		tooOften(t, h.watch(ctx))
		// What a stranger says about whom he forwards is not believed.
		tooOften(t, h.get(metadata.AppendToOutgoingContext(ctx, "x-forwarded-for", "198.51.100.1")))
	}
	tooOften(t, shop.Call(with(t, ""), h.conn, "Login", shop.Message{}))
}

func TestClientsBehindATrustedProxyAreLimitedEach(t *testing.T) {
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) {
		c.Rates.Address, c.Rates.Proxies = few(1), address.Proxies{loopback}
	})
	h.network(t)
	login := func(client string) error {
		return shop.Call(metadata.AppendToOutgoingContext(with(t, ""), "x-forwarded-for", client), h.conn, "Login", shop.Message{})
	}
	for _, client := range []string{"198.51.100.1", "198.51.100.2", "2001:db8::1"} {
		if err := login(client); err != nil {
			t.Errorf("%s: %v", client, err)
		}
		tooOften(t, login(client))
	}
	tooOften(t, login("2001:db8::2")) // of the same /64
}

func TestHealthAndUnknownAddressesAreNotLimited(t *testing.T) {
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Rates = interceptors.Rates{Address: few(1), Identity: few(1)} })
	for range 5 {
		if _, err := healthpb.NewHealthClient(h.conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
		if err := shop.Call(with(t, ""), h.conn, "Login", shop.Message{}); err != nil { // over memory
			t.Error(err)
		}
	}
	h.network(t)
	for range 5 {
		if _, err := healthpb.NewHealthClient(h.conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
	}
}

func TestARateThatMakesNoSenseIsRefusedAtTheStart(t *testing.T) {
	cfg := interceptors.Config{Rates: interceptors.Rates{Address: rate.Limit{PerSecond: -1}}}
	if _, err := interceptors.New(cfg); err == nil {
		t.Error("taken")
	}
}
