package migration_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
)

// page: hand-before
func serveByHand(lis net.Listener, consumer *Consumer, pool *Pool) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	srv := grpc.NewServer()
	healthpb.RegisterHealthServer(srv, health.NewServer())
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(lis) }()
	consumed := make(chan error, 1)
	go func() { consumed <- consumer.Run(ctx) }()

	select {
	case <-ctx.Done():
	case err := <-failed:
		return err // and the consumer? and the pool?
	}
	srv.GracefulStop() // for ever, if somebody watches the health or one handler hangs
	<-consumed         // likewise
	timeout, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := consumer.Commit(timeout) // if there is time left; nobody looked
	pool.Close()
	return err
}

// page: hand-after
func serveInGroup(lis net.Listener, consumer *Consumer, pool *Pool) error {
	group, err := lifecycle.New(lifecycle.WithGrace(30 * time.Second)) // terminationGracePeriodSeconds
	if err != nil {
		return err
	}
	tracker := grpcserver.NewTracker()
	srv := grpc.NewServer(tracker.ServerOptions()...)
	status := health.NewServer()
	healthpb.RegisterHealthServer(srv, status)

	group.Go("consumer", consumer.Run) // its context ends when Drain begins
	err = errors.Join(
		grpcserver.Add(group, "grpc", srv, lis, status, grpcserver.WithTracker(tracker)),
		group.Add(lifecycle.Part{Name: "offsets", Phase: lifecycle.Commit, Stop: consumer.Commit}),
		group.Add(lifecycle.Part{Name: "pool", Phase: lifecycle.Close, Stop: func(context.Context) error {
			pool.Close()
			return nil
		}}),
	)
	if err != nil {
		return err
	}
	return group.Run(context.Background()) // main: os.Exit(lifecycle.ExitCode(err))
}

// page: end

func Example_byHand() {
	ready := listen()
	consumer, pool := NewConsumer(ready.terminate), &Pool{}
	fmt.Println("error:", serveByHand(ready.lis, consumer, pool))
	// Output:
	// finish the batch
	// commit
	// close the pool
	// error: <nil>
}

func Example_inGroup() {
	ready := listen()
	consumer, pool := NewConsumer(ready.terminate), &Pool{}
	fmt.Println("error:", serveInGroup(ready.lis, consumer, pool))
	// Output:
	// finish the batch
	// commit
	// close the pool
	// error: <nil>
}
