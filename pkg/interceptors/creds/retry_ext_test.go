package creds_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// gate answers by the token that a call carries.
type gate struct {
	healthpb.UnimplementedHealthServer

	calls atomic.Int32
	judge func(raw string) error
}

func (g *gate) pass(ctx context.Context) error {
	g.calls.Add(1)
	md, _ := metadata.FromIncomingContext(ctx)
	return g.judge(strings.TrimPrefix(strings.Join(md.Get("authorization"), "+"), "Bearer "))
}

func (g *gate) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return &healthpb.HealthCheckResponse{}, g.pass(ctx)
}

func (g *gate) Watch(r *healthpb.HealthCheckRequest, s grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	if r.GetService() == "an answer first" {
		if err := s.Send(&healthpb.HealthCheckResponse{}); err != nil {
			return err
		}
	}
	if r.GetService() == "" {
		return errors.New("the request was lost")
	}
	return g.pass(s.Context())
}

func refusal(code codes.Code, reason authzv1.ErrorReason) error {
	return status.New(code, "authz.curfew.dev", reason, "refused")
}

func dial(t *testing.T, g *gate, source creds.TokenSource) healthpb.HealthClient {
	t.Helper()
	return healthpb.NewHealthClient(connect(t, g, source))
}

// serve starts a server of g and returns its address.
func serve(t *testing.T, g *gate) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(g.anything))
	healthpb.RegisterHealthServer(server, g)
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(lis) })
	t.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})
	return lis.Addr().String()
}

// connect starts a server of g and returns a connection to it.
func connect(t *testing.T, g *gate, source creds.TokenSource, more ...creds.Option) *grpc.ClientConn {
	t.Helper()
	r := creds.NewRefreshing(source, append(more, creds.WithPlaintext())...)
	conn, err := creds.Dial(creds.Target{Address: serve(t, g)}, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		r.Close()
	})
	return conn
}

func TestAnExpiredOrRevokedTokenIsRenewedOnceAndTheCallRepeatedOnce(t *testing.T) {
	expired := refusal(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED)
	revoked := refusal(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_REVOKED)
	malformed := refusal(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_MALFORMED)
	stepUp := refusal(codes.PermissionDenied, authzv1.ErrorReason_ERROR_REASON_STEP_UP_REQUIRED)
	for name, tc := range map[string]struct {
		first, then  error
		calls, made  int32
		code         codes.Code
		nextCallSees string
	}{
		"expired":             {expired, nil, 2, 2, codes.OK, "t2"},
		"revoked":             {revoked, nil, 2, 2, codes.OK, "t2"},
		"revoked for good":    {revoked, revoked, 2, 2, codes.Unauthenticated, "t2"},
		"malformed":           {malformed, nil, 1, 1, codes.Unauthenticated, "t1"},
		"step-up":             {stepUp, nil, 1, 1, codes.PermissionDenied, "t1"},
		"another domain":      {status.New(codes.Unauthenticated, "x.dev", authzv1.ErrorReason_ERROR_REASON_TOKEN_REVOKED, ""), nil, 1, 1, codes.Unauthenticated, "t1"},
		"static token":        {revoked, revoked, 1, 0, codes.Unauthenticated, ""},
		"a bare status":       {grpcstatus.Error(codes.Unauthenticated, "TOKEN_REVOKED"), nil, 1, 1, codes.Unauthenticated, "t1"},
		"revocations unknown": {refusal(codes.Internal, authzv1.ErrorReason_ERROR_REASON_REVOCATION_UNKNOWN), nil, 1, 1, codes.Internal, "t1"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &mill{life: 5 * time.Minute}
			g := &gate{}
			g.judge = func(raw string) error {
				if raw == "t1" {
					return tc.first
				}
				return tc.then
			}
			var source creds.TokenSource = m
			if name == "static token" {
				source = creds.Static("t1")
			}
			client := dial(t, g, source)
			_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{})
			if grpcstatus.Code(err) != tc.code || g.calls.Load() != tc.calls || m.made.Load() != tc.made {
				t.Errorf("got %v after %d calls with %d tokens", err, g.calls.Load(), m.made.Load())
			}
			if tc.then != nil {
				return
			}
			var seen string
			g.judge = func(raw string) error { seen = raw; return nil }
			if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil || seen != tc.nextCallSees {
				t.Errorf("the next call sent %q: %v", seen, err)
			}
		})
	}
}

func TestASessionThatIsOverIsUnauthenticatedAndAnOutageUnavailable(t *testing.T) {
	for _, tc := range []struct {
		err  error
		code codes.Code
	}{
		{creds.ErrSignedOut, codes.Unauthenticated},
		// The time of the renewal was over, not that of the call.
		{context.DeadlineExceeded, codes.Unavailable},
		{context.Canceled, codes.Unavailable},
		{net.ErrClosed, codes.Unavailable},
	} {
		client := dial(t, &gate{judge: func(string) error { return nil }}, creds.SourceFunc(func(context.Context) (creds.Token, error) {
			return creds.Token{}, tc.err
		}))
		if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); grpcstatus.Code(err) != tc.code || creds.SignedOut(err) != (tc.code == codes.Unauthenticated) {
			t.Errorf("%v: got %v", tc.err, err)
		}
	}
}

func TestPlaintextIsForLoopbackOnly(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "passthrough:///127.0.0.1:1": true, "unix:/tmp/x": true,
		"10.0.0.1:1": false, "example.org:1": false, "dns:///example.org:1": false, "localhost.example.org:1": false, "127.0.0.1": false,
	} {
		conn, err := creds.Dial(creds.Target{Address: address}, nil)
		if ok != (err == nil) {
			t.Errorf("%s: %v", address, err)
		}
		if conn != nil {
			_ = conn.Close()
		}
	}
	conn, err := creds.Dial(creds.Target{Address: "10.0.0.1:1", Plaintext: true}, nil)
	if err != nil {
		t.Errorf("on purpose: %v", err)
	} else {
		_ = conn.Close()
	}
	r := creds.NewRefreshing(creds.Static("t"))
	defer r.Close()
	if conn, err := grpc.NewClient("127.0.0.1:1", append(r.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...); err == nil {
		_ = conn.Close()
		t.Error("a token may travel in plaintext although nobody said so")
	}
}
