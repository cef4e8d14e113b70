package grpcserver_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
)

const (
	doMethod     = "/curfew.test.Work/Do"
	streamMethod = "/curfew.test.Work/Stream"
)

// work is a service whose calls do what the request says: "obey" waits for the end of the context, "follow" for the
// notice of the stop, "late" asks for the notice after two seconds, "ignore" waits for release, anything else is a time
// to wait.
type work struct {
	release <-chan struct{}
	mu      sync.Mutex
	running map[string]int  // by method
	told    []time.Time     // when calls that follow were told of the stop
	ctx     context.Context //nolint:containedctx // of the last call
}

// last returns the context of the last unary call.
func (w *work) last() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ctx
}

// follow waits until the call should end, and notes whether a stop was the reason.
func (w *work) follow(ctx context.Context) error {
	ctx = grpcserver.Stopping(ctx)
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), grpcserver.ErrStopping) {
		return status.FromContextError(ctx.Err()).Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, time.Now())
	return status.Error(codes.Unavailable, "stopping, try elsewhere")
}

// notices returns when calls were told, in order.
func (w *work) notices() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told
}

func (w *work) enter(method string) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == nil {
		w.running = make(map[string]int)
	}
	w.running[method]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.running[method]--
	}
}

func (w *work) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum := 0
	for _, n := range w.running {
		sum += n
	}
	return sum
}

func (w *work) act(ctx context.Context, what string) error {
	switch what {
	case "obey":
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	case "follow":
		return w.follow(ctx)
	case "late":
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
		}
		return w.follow(ctx)
	case "ignore":
		<-w.release
		return nil
	}
	d, err := time.ParseDuration(what)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (w *work) do(_ any, ctx context.Context, dec func(any) error, next grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // the order that grpc.MethodDesc wants
	in := new(wrapperspb.StringValue)
	if err := dec(in); err != nil {
		return nil, err
	}
	handler := func(ctx context.Context, _ any) (any, error) {
		defer w.enter(doMethod)()
		w.mu.Lock()
		w.ctx = ctx
		w.mu.Unlock()
		return in, w.act(ctx, in.GetValue())
	}
	return next(ctx, in, &grpc.UnaryServerInfo{FullMethod: doMethod}, handler)
}

func (w *work) stream(_ any, ss grpc.ServerStream) error {
	defer w.enter(streamMethod)()
	in := new(wrapperspb.StringValue)
	if err := ss.RecvMsg(in); err != nil {
		return err
	}
	if err := ss.SendMsg(in); err != nil {
		return err
	}
	return w.act(ss.Context(), in.GetValue())
}

func (w *work) register(srv *grpc.Server) {
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: "curfew.test.Work",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Do", Handler: w.do}},
		Streams:     []grpc.StreamDesc{{StreamName: "Stream", Handler: w.stream, ServerStreams: true, ClientStreams: true}},
	}, w)
}

// fixture is a server in a group.
type fixture struct {
	g       *lifecycle.Group
	work    *work
	tracker *grpcserver.Tracker
	health  *health.Server
	lis     *bufconn.Listener
}

func newFixture(t *testing.T, release <-chan struct{}, opts ...lifecycle.Option) *fixture {
	t.Helper()
	opts = append([]lifecycle.Option{lifecycle.WithoutSignals(), lifecycle.WithLogger(silent), lifecycle.WithReportWriter(io.Discard)}, opts...)
	g, err := lifecycle.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		g: g, work: &work{release: release}, tracker: grpcserver.NewTracker(),
		health: health.NewServer(), lis: bufconn.Listen(64 << 10),
	}
	srv := grpc.NewServer(append(f.tracker.ServerOptions(), grpc.KeepaliveParams(grpcserver.ConnectionAge(g.Plan())))...)
	f.work.register(srv)
	healthpb.RegisterHealthServer(srv, f.health)
	if err := grpcserver.Add(g, "grpc", srv, f.lis, f.health, grpcserver.WithTracker(f.tracker)); err != nil {
		t.Fatal(err)
	}
	return f
}

// run runs the group and returns a function that waits for its end.
func (f *fixture) run(ctx context.Context) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- f.g.Run(ctx) }()
	<-f.g.Started()
	return func() error { return <-done }
}

func (f *fixture) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return f.lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// call makes a call and hands its error over.
func call(ctx context.Context, conn *grpc.ClientConn, what string) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- conn.Invoke(ctx, doMethod, wrapperspb.String(what), new(wrapperspb.StringValue))
	}()
	return done
}

// openStream opens a stream and waits until its handler runs.
func openStream(ctx context.Context, t *testing.T, conn *grpc.ClientConn, what string) grpc.ClientStream {
	t.Helper()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, streamMethod)
	if err == nil {
		err = s.SendMsg(wrapperspb.String(what))
	}
	if err == nil {
		err = s.RecvMsg(new(wrapperspb.StringValue))
	}
	if err != nil {
		t.Error(err)
	}
	return s
}
