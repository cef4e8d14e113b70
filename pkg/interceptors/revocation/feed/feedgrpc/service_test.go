package feedgrpc_test

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedgrpc"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher/watchergrpc"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

const (
	issuer = "https://auth.curfew.dev"
	// ttl is a lease that a machine with much else to do does not let run out.
	ttl = 30 * time.Second
)

var quiet = slog.New(slog.DiscardHandler)

// server is an engine behind real gRPC over a pipe in memory.
type server struct {
	engine *feed.Engine
	conn   *grpc.ClientConn
	client revocationv1.RevocationServiceClient
	grpc   *grpc.Server
}

// caller makes every call come from a service principal, as the interceptors
// do.
type caller struct {
	grpc.ServerStream
	ctx context.Context
}

func (c caller) Context() context.Context { return c.ctx }

func authenticated(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(srv, caller{ss, identity.NewContext(ss.Context(), &identity.Identity{Issuer: issuer, Subject: "services/orders"})})
}

func serve(t *testing.T, store feed.Store, options ...grpc.ServerOption) *server {
	t.Helper()
	engine, err := feed.New(feed.Config{Store: store, Replica: "auth", Logger: quiet, Poll: 20 * time.Millisecond, TTL: ttl, RowLease: 3 * ttl})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := engine.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	lis := bufconn.Listen(1 << 16)
	s := grpc.NewServer(options...)
	revocationv1.RegisterRevocationServiceServer(s, feedgrpc.New(engine, nil))
	wg.Go(func() { _ = s.Serve(lis) })
	conn, err := grpc.NewClient("passthrough:///bufconn",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		s.Stop()
		cancel()
		wg.Wait()
	})
	return &server{engine: engine, conn: conn, client: revocationv1.NewRevocationServiceClient(conn), grpc: s}
}

func watch(t *testing.T, replica string, conns ...*grpc.ClientConn) *watcher.Watcher {
	t.Helper()
	dial, err := watchergrpc.Dial(conns...)
	if err != nil {
		t.Fatal(err)
	}
	w, err := watcher.New(watcher.Config{Dial: dial, Replica: replica, Logger: quiet, TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	select {
	case <-w.Ready():
	case <-time.After(time.Minute):
		t.Fatal("no lease")
	}
	return w
}

func session(id string) revocation.Rule {
	return revocation.Rule{Kind: revocation.KindSession, Issuer: issuer, ID: id, KeepUntil: time.Now().Add(time.Hour)}
}

func TestARevokeIsInForceEverywhereWhenAwaitReturnsOverGRPC(t *testing.T) {
	store := feedtest.NewMemory()
	a, b := serve(t, store, grpc.ChainStreamInterceptor(authenticated)), serve(t, store, grpc.ChainStreamInterceptor(authenticated))
	watchers := []*watcher.Watcher{
		watch(t, "orders-1", a.conn, b.conn), watch(t, "orders-2", b.conn, a.conn), watch(t, "orders-3", b.conn),
	}
	for n := range 100 {
		id := &identity.Identity{Issuer: issuer, Subject: "user", SessionID: time.Duration(n).String()}
		for _, w := range watchers {
			if err := w.Check(id).Admit(0); err != nil {
				t.Fatalf("round %d: refused before the revocation: %v", n, err)
			}
		}
		resp, err := a.client.AwaitRevocation(t.Context(), &revocationv1.AwaitRevocationRequest{Seq: store.Revoke(session(id.SessionID))})
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range watchers {
			if err := w.Check(id).Admit(0); err != revocation.ErrRevoked {
				t.Fatalf("round %d: watcher %d answers %v after the return", n, i, err)
			}
		}
		if r := resp.GetRevocation(); r.GetExpired() != 0 || r.GetSeq() != int64(n+1) {
			t.Errorf("round %d: receipt %v", n, r)
		}
	}
}

func TestAStoppedServersWatchersGoElsewhereAndKeepTheirLease(t *testing.T) {
	store := feedtest.NewMemory()
	a, b := serve(t, store, grpc.ChainStreamInterceptor(authenticated)), serve(t, store, grpc.ChainStreamInterceptor(authenticated))
	w := watch(t, "orders-1", a.conn, b.conn)
	stale := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if !w.Check(&identity.Identity{Issuer: issuer}).Fresh {
				close(stale)
				return
			}
		}
	})
	a.engine.Move()
	for len(b.engine.Watchers()) == 0 || b.engine.Watchers()[0].LeaseUntil.IsZero() {
		if t.Context().Err() != nil {
			t.Fatal("never came")
		}
		runtime.Gosched()
	}
	a.grpc.Stop()
	cancel()
	wg.Wait()
	select {
	case <-stale:
		t.Error("without a lease during the move")
	default:
	}
	// A barrier would wait for the lease that a has granted: it comes by itself.
	store.Revoke(session("s"))
	for deadline := time.Now().Add(time.Minute); w.Check(&identity.Identity{Issuer: issuer, SessionID: "s"}).Admit(0) != revocation.ErrRevoked; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("after the move nothing comes any more")
		}
	}
}

func TestLeavingIsReadByTheServerOverGRPC(t *testing.T) {
	s := serve(t, feedtest.NewMemory(), grpc.ChainStreamInterceptor(authenticated))
	w := watch(t, "orders-1", s.conn)
	if n := len(s.engine.Watchers()); n != 1 {
		t.Fatalf("%d watchers", n)
	}
	if err := w.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := s.engine.Watchers(); len(l) != 0 {
		t.Errorf("after the leaving there are %+v", l)
	}
}

func TestWhoIsNotAuthenticatedWatchesNothing(t *testing.T) {
	s := serve(t, feedtest.NewMemory())
	stream, err := s.client.WatchRevocations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("error is %v", err)
	}
}

func TestAProtocolViolationIsInvalidArgument(t *testing.T) {
	s := serve(t, feedtest.NewMemory(), grpc.ChainStreamInterceptor(authenticated))
	for name, m := range map[string]*revocationv1.WatchRevocationsRequest{
		"an empty message": {},
		"a Hello without a name": {Message: &revocationv1.WatchRevocationsRequest_Hello{
			Hello: &revocationv1.Hello{Incarnation: "a"},
		}},
	} {
		stream, err := s.client.WatchRevocations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// zombie is a watcher that holds a lease and never acknowledges.
func zombie(ctx context.Context, t *testing.T, s *server) revocationv1.RevocationService_WatchRevocationsClient {
	t.Helper()
	stream, err := s.client.WatchRevocations(ctx)
	if err != nil {
		t.Fatal(err)
	}
	hello := &revocationv1.WatchRevocationsRequest{Message: &revocationv1.WatchRevocationsRequest_Hello{
		Hello: &revocationv1.Hello{ReplicaId: "zombie", Incarnation: "z"},
	}}
	if err := stream.Send(hello); err != nil {
		t.Fatal(err)
	}
	// The engine has no lease of its own to grant from in its first moments.
	for nonce := uint64(1); ; nonce++ {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if m.GetGrant().GetTtl().AsDuration() > 0 {
			return stream
		}
		renew := &revocationv1.WatchRevocationsRequest{Message: &revocationv1.WatchRevocationsRequest_Renew{
			Renew: &revocationv1.Renew{Nonce: nonce, Generation: "1"},
		}}
		if err := stream.Send(renew); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADeadlineAtTheBarrierSaysThatTheRevocationIsCommitted(t *testing.T) {
	store := feedtest.NewMemory()
	s := serve(t, store, grpc.ChainStreamInterceptor(authenticated))
	zombie(t.Context(), t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.engine.Await(ctx, store.Revoke(session("s")))
	st := status.Convert(feedgrpc.Status(err))
	if st.Code() != codes.DeadlineExceeded || len(st.Details()) != 1 {
		t.Fatalf("status is %v", st)
	}
	if info := st.Details()[0].(*errdetails.ErrorInfo); info.GetReason() != feedgrpc.ReasonPending || info.GetMetadata()["seq"] != "1" {
		t.Errorf("details are %v", info)
	}
	if _, err := s.client.AwaitRevocation(t.Context(), &revocationv1.AwaitRevocationRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("position 0: %v", err)
	}
}

func TestReplicasAreListedInPages(t *testing.T) {
	s := serve(t, feedtest.NewMemory(), grpc.ChainStreamInterceptor(authenticated))
	want := []string{"a", "b", "c", "d", "e"}
	for _, name := range want {
		watch(t, name, s.conn)
	}
	var got []string
	token := ""
	for {
		resp, err := s.client.ListRevocationReplicas(t.Context(), &revocationv1.ListRevocationReplicasRequest{PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range resp.GetReplicas() {
			got = append(got, r.GetReplicaId())
			if r.GetPrincipal() != "services/orders" || r.GetLeaseUntil() == nil {
				t.Errorf("replica %v", r)
			}
		}
		if token = resp.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(got) != len(want) || got[0] != "a" || got[4] != "e" {
		t.Errorf("listed %v", got)
	}
	for _, bad := range []*revocationv1.ListRevocationReplicasRequest{{PageSize: -1}, {PageToken: "!"}} {
		if _, err := s.client.ListRevocationReplicas(t.Context(), bad); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
