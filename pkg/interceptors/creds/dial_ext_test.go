package creds_test

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
)

func TestDNSDoesNotSayWhatIsRepeated(t *testing.T) {
	g := &gate{judge: func(string) error { return grpcstatus.Error(codes.Unavailable, "done, and the answer was lost") }}
	addr := serve(t, g)
	named := manual.NewBuilderWithScheme("named")
	config := `{"methodConfig": [{"name": [{}], "retryPolicy": {
		"maxAttempts": 5, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]
	}}]}`
	named.BuildCallback = func(_ resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) {
		named.InitialState(resolver.State{
			Endpoints:     []resolver.Endpoint{{Addresses: []resolver.Address{{Addr: addr}}}},
			ServiceConfig: cc.ParseServiceConfig(config),
		})
	}
	conn, err := creds.Dial(creds.Target{Address: "named:///x", Plaintext: true}, nil, grpc.WithResolvers(named))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); grpcstatus.Code(err) != codes.Unavailable {
		t.Error(err)
	}
	if n := g.calls.Load(); n != 1 {
		t.Errorf("called %d times", n)
	}
}
