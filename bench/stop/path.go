package stop

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/curfew-platform/curfew/bench/internal/echo"
	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
)

const (
	echoService = "curfew.bench.v1.StopService"
	echoMethod  = "/" + echoService + "/Echo"
	clients     = 4
	calls       = 4000 // of one run: short ones, so that both of a pair meet the same machine
	patience    = time.Minute
)

// requestPath compares calls to a server in a group with calls to a server of
// grpc-go alone, by the time they take and by the processor time of this
// process, client and server together.
func requestPath(ctx context.Context, pairs int) ([]ratio.Result, error) {
	ours, stopOurs, err := grouped(ctx)
	if err != nil {
		return nil, err
	}
	theirs, stopTheirs, err := alone(ctx)
	if err != nil {
		return nil, err
	}
	var out []ratio.Result
	for _, clock := range []struct {
		name string
		now  func() time.Duration
	}{{"processor time", processorTime}, {"time", wallTime}} {
		a := func() (float64, error) { return perCall(ctx, ours, clock.now) }
		b := func() (float64, error) { return perCall(ctx, theirs, clock.now) }
		for _, warm := range []func() (float64, error){a, b} {
			if _, err := warm(); err != nil {
				return nil, err
			}
		}
		measured, err := ratio.Measure(pairs, a, b)
		if err != nil {
			return nil, err
		}
		out = append(out, ratio.Result{
			Name: "a call to a gRPC server in a group, calls tracked / to a server of grpc-go alone, " + clock.name,
			Unit: "us/call", Goal: pathGoal, Below: true, Pairs: measured,
		})
	}
	stopTheirs()
	return out, stopOurs()
}

// epoch is any instant; wallTime counts from it.
var epoch = time.Now()

func wallTime() time.Duration { return time.Since(epoch) }

// processorTime is what this process has used of all processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func echoServer(options ...grpc.ServerOption) *grpc.Server {
	srv := grpc.NewServer(options...)
	echo.Register(srv, echoService, "Echo")
	return srv
}

func connect(ctx context.Context) (net.Listener, *grpc.ClientConn, error) {
	lis, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, fmt.Errorf("dial: %w", err)
	}
	return lis, conn, nil
}

// grouped is the server as a service has it.
func grouped(ctx context.Context) (*grpc.ClientConn, func() error, error) {
	lis, conn, err := connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	group, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(nil))
	if err != nil {
		return nil, nil, err
	}
	tracker := grpcserver.NewTracker()
	srv := echoServer(append(tracker.ServerOptions(), grpc.KeepaliveParams(grpcserver.ConnectionAge(group.Plan())))...)
	status := health.NewServer()
	healthpb.RegisterHealthServer(srv, status)
	if err := grpcserver.Add(group, "grpc", srv, lis, status, grpcserver.WithTracker(tracker)); err != nil {
		return nil, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- group.Run(ctx) }()
	<-group.Started()
	return conn, func() error {
		conn.Close()
		group.Shutdown(nil)
		return <-done
	}, nil
}

func alone(ctx context.Context) (*grpc.ClientConn, func(), error) {
	lis, conn, err := connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	srv := echoServer()
	healthpb.RegisterHealthServer(srv, health.NewServer())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(lis) // Ends with Stop.
	}()
	return conn, func() {
		conn.Close()
		srv.Stop()
		<-done
	}, nil
}

// perCall returns the microseconds on a clock that a call takes, with several
// clients at work.
func perCall(ctx context.Context, conn *grpc.ClientConn, clock func() time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	start := clock()
	g, ctx := errgroup.WithContext(ctx)
	for range clients {
		g.Go(func() error {
			in, out := wrapperspb.String("hello"), &wrapperspb.StringValue{}
			for range calls / clients {
				if err := conn.Invoke(ctx, echoMethod, in, out, grpc.WaitForReady(true)); err != nil {
					return fmt.Errorf("call: %w", err)
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return float64((clock() - start).Microseconds()) / calls, err
}
