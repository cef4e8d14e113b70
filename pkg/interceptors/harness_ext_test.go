package interceptors_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// harness is a server with the whole chain, and a client of it.
type harness struct {
	t       testing.TB
	issuer  *tokentest.Issuer
	source  *memory.Source
	conn    *grpc.ClientConn
	log     *logBuffer
	audit   *auditRecorder
	chain   *interceptors.Chain
	service *shop.Server
}

// newHarness starts a server. change may alter the configuration.
func newHarness(t testing.TB, service *shop.Server, change ...func(*interceptors.Config)) *harness {
	t.Helper()
	h := &harness{
		t: t, issuer: tokentest.New(t), source: memory.New(), service: service,
		log: &logBuffer{}, audit: &auditRecorder{},
	}
	cfg := interceptors.Config{
		Verifier: h.issuer.Verifier(t), Revocation: h.source, Policy: policy(t),
		Logger: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Audit:  h.audit, Introspector: introspector(func() error { return nil }),
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if h.chain, err = interceptors.New(cfg); err != nil {
		t.Fatalf("chain: %v", err)
	}
	server := grpc.NewServer(h.chain.ServerOptions()...)
	service.Register(server)
	healthpb.RegisterHealthServer(server, health.NewServer())
	if err := h.chain.Check(server); err != nil {
		t.Fatalf("check: %v", err)
	}
	h.conn = serve(t, server)
	return h
}

func serve(t testing.TB, server *grpc.Server, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(lis) })
	conn, err := grpc.NewClient("passthrough:///bufconn", append(options, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))...)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		wg.Wait()
	})
	return conn
}

func policy(t testing.TB) *authz.Policy {
	t.Helper()
	perms, err := authz.ParsePermissions([]byte(shop.Permissions))
	if err != nil {
		t.Fatalf("permissions: %v", err)
	}
	p, err := authz.NewPolicy(authz.FileServices(shop.File), perms)
	if err != nil {
		t.Fatalf("policy: %v", err)
	}
	return p
}

// with returns a context that carries a token.
func with(t testing.TB, raw string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	if raw == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+raw)
}

// want fails the test if err is not the code and reason.
func want(t testing.TB, err error, code codes.Code, reason string) {
	t.Helper()
	if status.Code(err) != code || status.Reason(err) != reason {
		t.Fatalf("got %v (reason %q), want %v (reason %q)", err, status.Reason(err), code, reason)
	}
}

type introspector func() error

func (f introspector) Introspect(context.Context, *identity.Identity, token.Raw) error { return f() }

// stale is a source that has lost its lease.
type stale struct{ age time.Duration }

func (s stale) Check(*identity.Identity) revocation.Verdict {
	return revocation.Verdict{StaleFor: s.age}
}

type auditRecorder struct {
	mu     sync.Mutex
	events []interceptors.AuditEvent
}

func (a *auditRecorder) Audit(_ context.Context, e interceptors.AuditEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
}

func (a *auditRecorder) all() []interceptors.AuditEvent {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]interceptors.AuditEvent(nil), a.events...)
}

// logBuffer collects log lines. Everything that any test of the package logs
// also goes to suite, which TestMain scans for tokens.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var suite logBuffer

func (l *logBuffer) Write(p []byte) (int, error) {
	if l != &suite {
		_, _ = suite.Write(p)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) count(text string) int { return strings.Count(l.String(), text) }

var _ io.Writer = (*logBuffer)(nil)

func grpcCode(err error) codes.Code { return grpcstatus.Code(err) }

// violations returns the names of the fields that err complains about.
func violations(err error) []string {
	var out []string
	for _, v := range status.Detail[*errdetails.BadRequest](err).GetFieldViolations() {
		out = append(out, v.GetField())
	}
	return out
}
