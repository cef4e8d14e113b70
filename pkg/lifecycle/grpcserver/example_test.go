package grpcserver_test

import (
	"context"
	"fmt"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
)

// A server with a health service, whose connections are renewed as the drain budget asks for, in a group.
func Example_serveAndStop() {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	tracker := grpcserver.NewTracker()
	options := append(tracker.ServerOptions(), // first, so that calls count until the last interceptor has returned
		grpc.KeepaliveParams(grpcserver.ConnectionAge(group.Plan())))
	srv := grpc.NewServer(options...)
	status := health.NewServer()
	healthpb.RegisterHealthServer(srv, status)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := grpcserver.Add(group, "grpc", srv, lis, status, grpcserver.WithTracker(tracker)); err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- group.Run(context.Background()) }()
	<-group.Started()

	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	answer, err := healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
	fmt.Println(answer.GetStatus(), err)
	group.Shutdown(nil)
	fmt.Println("exit code", lifecycle.ExitCode(<-done))
	// Output:
	// SERVING <nil>
	// exit code 0
}
