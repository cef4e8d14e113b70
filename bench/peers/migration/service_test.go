package migration_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Consumer is what every way has to stop. It asks for the stop itself once it
// runs.
type Consumer struct{ running func() }

// NewConsumer returns a consumer that calls running when it runs.
func NewConsumer(running func()) *Consumer { return &Consumer{running: running} }

// Run consumes until ctx ends.
func (c *Consumer) Run(ctx context.Context) error {
	c.running()
	<-ctx.Done()
	fmt.Println("finish the batch")
	return nil
}

// Commit makes durable what was consumed.
func (c *Consumer) Commit(context.Context) error {
	fmt.Println("commit")
	return nil
}

// Pool is what is closed last.
type Pool struct{}

// Close closes it.
func (*Pool) Close() { fmt.Println("close the pool") }

// terminate sends SIGTERM to this process, whose signals are handled.
func terminate() { _ = syscall.Kill(syscall.Getpid(), syscall.SIGTERM) }

// terminateOnceHandled is for who begins to handle signals at some time after
// the consumer runs.
func terminateOnceHandled() (running func()) {
	signal.Ignore(syscall.SIGTERM)
	return func() {
		for signal.Ignored(syscall.SIGTERM) {
			<-time.After(time.Millisecond)
		}
		own := make(chan os.Signal, 1) // waits for the Notify that is under way
		signal.Notify(own, syscall.SIGTERM)
		signal.Stop(own)
		terminate()
	}
}

// service is a listener whose server is asked before the process is terminated.
type service struct{ lis net.Listener }

func listen() *service {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return &service{lis: lis}
}

func (s *service) terminate() {
	conn, err := grpc.NewClient(s.lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	if _, err := healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
		panic(err)
	}
	terminate()
}
