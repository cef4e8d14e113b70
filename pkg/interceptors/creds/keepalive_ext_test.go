package creds_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
)

// quiet has streams on which nothing is sent.
type quiet struct {
	healthpb.UnimplementedHealthServer
}

func (quiet) Watch(_ *healthpb.HealthCheckRequest, s grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	<-s.Context().Done()
	return s.Context().Err() // its deadline is over at the same moment as the client's
}

// ends opens a stream that is quiet for an hour and returns why it ended.
func ends(t *testing.T, policy keepalive.EnforcementPolicy) (err error) {
	synctest.Test(t, func(t *testing.T) {
		lis := bufconn.Listen(1 << 16)
		server := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(policy))
		healthpb.RegisterHealthServer(server, quiet{})
		go func() { _ = server.Serve(lis) }()
		defer server.Stop()
		conn, dialErr := creds.Dial(creds.Target{Address: "passthrough:///127.0.0.1:1"}, nil,
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
		if dialErr != nil {
			t.Fatal(dialErr)
		}
		defer func() { _ = conn.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		stream, openErr := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{})
		if openErr != nil {
			t.Fatal(openErr)
		}
		_, err = stream.Recv()
	})
	return err
}

func TestAServerWithOurPolicyAdmitsThePingsOfAQuietCall(t *testing.T) {
	if err := ends(t, creds.Enforcement()); grpcstatus.Code(err) != codes.DeadlineExceeded {
		t.Errorf("ended with %v", err)
	}
	if err := ends(t, keepalive.EnforcementPolicy{}); grpcstatus.Code(err) != codes.Unavailable {
		t.Errorf("the default of gRPC admits them too, so the test shows nothing: %v", err)
	}
}
