package creds_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/certfile"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
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

// Of any other method UNAVAILABLE may mean that it was done.
func TestOnlyWhatTheProtoCallsSafeIsRepeatedWhileNobodyAnswers(t *testing.T) {
	for method, calls := range map[string]int32{
		revocationv1.RevocationService_ListRevocationReplicas_FullMethodName: 2,
		healthpb.Health_Check_FullMethodName:                                 1,
	} {
		g := &gate{}
		g.judge = func(string) error {
			if g.calls.Load() == 1 {
				return grpcstatus.Error(codes.Unavailable, "nobody there")
			}
			return nil
		}
		conn := connect(t, g, creds.Static("t"))
		err := conn.Invoke(t.Context(), method, &healthpb.HealthCheckRequest{}, &healthpb.HealthCheckResponse{})
		if n := g.calls.Load(); n != calls || (err == nil) != (calls == 2) {
			t.Errorf("%s: %v after %d calls", method, err, n)
		}
	}
}

func TestOnLoopbackTooTheTokenTravelsOverTLSIfThatIsSaid(t *testing.T) {
	made := httptest.NewTLSServer(nil) // for its certificate
	made.Close()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&made.TLS.Certificates[0])))
	g := &gate{judge: func(string) error { return nil }}
	healthpb.RegisterHealthServer(server, g)
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(lis) })
	t.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})
	trusted := x509.NewCertPool()
	trusted.AddCert(made.Certificate())
	target := creds.Target{Address: lis.Addr().String(), TLS: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS13}}
	r := creds.NewRefreshing(creds.Static("t"))
	t.Cleanup(r.Close)
	conn, err := creds.Dial(target, r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	target.Files = &certfile.Files{}
	if _, err := creds.Dial(target, r); err == nil {
		t.Error("two ways of TLS are taken")
	}
}
