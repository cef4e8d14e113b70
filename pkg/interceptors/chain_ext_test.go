package interceptors_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// fromTheFuture is what an issuer stamps whose clock is ahead by more than the
// leeway.
func fromTheFuture() tokentest.Claims {
	now := time.Now().Add(time.Minute).Unix()
	return tokentest.Claims{"iat": now, "nbf": now, "auth_time": now, "exp": now + 300}
}

func TestTheChainNamesItsLinksInTheDeclaredOrder(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	var names []string
	for _, l := range h.chain.Links() {
		names = append(names, l.Name)
		if l.Does == "" {
			t.Errorf("%s does not say what it does", l.Name)
		}
	}
	want := []string{
		"recovery", "request-id", "logging", "metrics", "audit", "errors", "limits", "address-rate",
		"authentication", "revocation", "identity-rate", "authorization", "validation",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if d := h.chain.Describe(); !strings.Contains(d, "curfew issuer=https://auth.curfew.dev") {
		t.Errorf("description lacks the issuer:\n%s", d)
	}
}

func TestAChainWithAMissingPartIsRefused(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	complete := interceptors.Config{
		Verifier: h.issuer.Verifier(t), Revocation: h.source, Policy: policy(t), Logger: discard,
		Audit: h.audit, Introspector: introspector(func() error { return nil }),
	}
	if _, err := interceptors.New(complete); err != nil {
		t.Fatalf("complete configuration: %v", err)
	}
	for name, remove := range map[string]func(*interceptors.Config){
		"verifier":          func(c *interceptors.Config) { c.Verifier = nil },
		"revocation source": func(c *interceptors.Config) { c.Revocation = nil },
		"policy":            func(c *interceptors.Config) { c.Policy = nil },
		"logger":            func(c *interceptors.Config) { c.Logger = nil },
		"auditor":           func(c *interceptors.Config) { c.Audit = nil },
		"introspector":      func(c *interceptors.Config) { c.Introspector = nil },
		"limits":            func(c *interceptors.Config) { c.Limits.MetadataBytes = -1 },
	} {
		t.Run("without "+name, func(t *testing.T) {
			cfg := complete
			remove(&cfg)
			if _, err := interceptors.New(cfg); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want an error about the %s", err, name)
			}
		})
	}
}

func TestAServerWithAMethodWithoutARuleIsRefused(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "stray.Service", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Do"}},
	}, struct{}{})
	if err := h.chain.Check(server); err == nil || !strings.Contains(err.Error(), "/stray.Service/Do has no authorization rule") {
		t.Errorf("got %v", err)
	}
}

func TestReflectionIsRefusedUnlessConfigured(t *testing.T) {
	server := grpc.NewServer()
	reflection.Register(server)
	closed := newHarness(t, &shop.Server{})
	if err := closed.chain.Check(server); err == nil {
		t.Error("reflection passed the check")
	}
	open := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Reflection = true })
	if err := open.chain.Check(server); err != nil {
		t.Errorf("reflection was admitted by the configuration: %v", err)
	}
}

// A server may pass on what it does not know, as a proxy does.
func TestAMethodThatSoundsLikeHealthOrReflectionNeedsARuleLikeEveryOther(t *testing.T) {
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Reflection = true })
	unknown := grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		t.Error("the handler has begun")
		return nil
	})
	conn := serve(t, grpc.NewServer(append(h.chain.ServerOptions(), unknown)...))
	for _, method := range []string{
		"/grpc.health.v1.Health/Invented", "/grpc.health.v1.Health/Check/", "/grpc.reflection.v1.ServerReflection/Invented",
		"/grpc.reflection.v1alpha.ServerReflection/", "/nobody.v1.Service/Knows",
	} {
		t.Run(method, func(t *testing.T) {
			call := func(raw string) error {
				return conn.Invoke(with(t, raw), method, shop.Message{}.Proto(), shop.Message{}.Proto())
			}
			want(t, call(""), codes.Unauthenticated, "TOKEN_MISSING")
			want(t, call(h.issuer.User(t, "u1", []string{"admin"})), codes.PermissionDenied, "PERMISSION_DENIED")
		})
	}
}

func TestAHandlerSeesWhoCalls(t *testing.T) {
	var got identity.Identity
	h := newHarness(t, &shop.Server{Unary: func(ctx context.Context, _ string, _ *dynamicpb.Message) error {
		id, ok := identity.FromContext(ctx)
		if !ok {
			return errors.New("no identity")
		}
		got = *id
		return nil
	}})
	if err := shop.Call(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, "Get", shop.Message{Name: "users/u1/things/1"}); err != nil {
		t.Fatal(err)
	}
	if got.Principal() != "users/u1" || got.Epoch != 1 || got.SessionID == "" || got.IsService() {
		t.Errorf("got %+v", got)
	}
}

func TestCallsWithoutAGoodTokenAreRefused(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	good := h.issuer.User(t, "u1", []string{"customer"})
	own := shop.Message{Name: "users/u1/things/1"}
	two := metadata.AppendToOutgoingContext(with(t, good), "authorization", "Bearer "+good)
	for name, tc := range map[string]struct {
		ctx    context.Context
		reason string
	}{
		"no token":           {with(t, ""), "TOKEN_MISSING"},
		"two tokens":         {two, "TOKEN_MALFORMED"},
		"another scheme":     {metadata.AppendToOutgoingContext(with(t, ""), "authorization", "Basic abc"), "TOKEN_MALFORMED"},
		"an empty token":     {metadata.AppendToOutgoingContext(with(t, ""), "authorization", "Bearer "), "TOKEN_MALFORMED"},
		"a changed token":    {with(t, good[:len(good)-6]+"AAAAAA"), "TOKEN_MALFORMED"},
		"an expired token":   {with(t, h.issuer.User(t, "u1", nil, tokentest.Claims{"iat": 1000, "nbf": 1000, "auth_time": 1000, "exp": 1300})), "TOKEN_EXPIRED"},
		"a clock far ahead":  {with(t, h.issuer.User(t, "u1", nil, fromTheFuture())), "TOKEN_MALFORMED"},
		"another audience":   {with(t, h.issuer.User(t, "u1", nil, tokentest.Claims{"aud": "other"})), "TOKEN_WRONG_AUDIENCE"},
		"a megabyte instead": {with(t, strings.Repeat("a", 7<<10)), "TOKEN_MALFORMED"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, shop.Call(tc.ctx, h.conn, "Get", own), codes.Unauthenticated, tc.reason)
			stream, err := shop.Open(tc.ctx, h.conn, "Watch")
			if err != nil {
				t.Fatal(err)
			}
			want(t, stream.RecvMsg(shop.Message{}.Proto()), codes.Unauthenticated, tc.reason)
		})
	}
	if err := shop.Call(with(t, good), h.conn, "Get", own); err != nil {
		t.Errorf("the good token: %v", err)
	}
}

// noKeys is an issuer that cannot be reached.
type noKeys struct{}

func (noKeys) Key(context.Context, string) (string, crypto.PublicKey, error) {
	return "", nil, errors.New("connection refused")
}

func TestAnIssuerThatCannotBeReachedIsUnavailableAndNeverUnauthenticated(t *testing.T) {
	verifier, err := token.NewVerifier(token.Curfew(token.CurfewIssuer, noKeys{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Verifier = verifier })
	err = shop.Call(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, "Get", shop.Message{Name: "users/u1"})
	want(t, err, codes.Unavailable, "KEYS_UNAVAILABLE")
	if status.Detail[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration() <= 0 {
		t.Error("no time to retry after")
	}
	if h.log.count("call failed") == 0 || h.log.count("connection refused") == 0 || strings.Contains(err.Error(), "refused") {
		t.Errorf("why is for the log and not for the client: %v", err)
	}
}

func TestAPublicMethodDoesNotLookAtTheToken(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	for _, raw := range []string{"", "rubbish", h.issuer.User(t, "u1", nil, tokentest.Claims{"exp": 5})} {
		if err := shop.Call(with(t, raw), h.conn, "Login", shop.Message{}); err != nil {
			t.Errorf("got %v", err)
		}
	}
}

func TestHealthNeedsNoTokenAndIsNotLogged(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	if _, err := healthpb.NewHealthClient(h.conn).Check(with(t, ""), &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err := healthpb.NewHealthClient(h.conn).Check(with(t, ""), &healthpb.HealthCheckRequest{Service: "nope"})
	want(t, err, codes.NotFound, "")
	if h.log.String() != "" {
		t.Errorf("logged: %s", h.log)
	}
}

func TestErrorsOfHandlersAreMappedAtOneEdge(t *testing.T) {
	ours := status.New(codes.AlreadyExists, "shop.curfew.dev", reasonForTest, "taken")
	downstream := grpcstatus.Error(codes.Unauthenticated, "what a downstream says")
	for name, tc := range map[string]struct {
		err    error
		code   codes.Code
		text   string
		logged int
	}{
		"one of ours":                  {ours, codes.AlreadyExists, "taken", 0},
		"one of ours, wrapped":         {fmt.Errorf("use case: %w", ours), codes.AlreadyExists, "taken", 0},
		"any other error":              {errors.New("relation users does not exist"), codes.Internal, "internal error", 1},
		"a status of a downstream":     {downstream, codes.Internal, "internal error", 1},
		"... wrapped":                  {fmt.Errorf("auth: %w", downstream), codes.Internal, "internal error", 1},
		"a time-out inside":            {context.DeadlineExceeded, codes.Internal, "internal error", 1},
		"generated code, no method":    {grpcstatus.Error(codes.Unimplemented, "method X"), codes.Unimplemented, "the method is not implemented", 0},
		"an internal one with a cause": {status.WithCause(status.Plain(codes.Internal, "internal error"), errors.New("disk")), codes.Internal, "internal error", 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, &shop.Server{
				Unary:  func(context.Context, string, *dynamicpb.Message) error { return tc.err },
				Stream: func(string, grpc.ServerStream) error { return tc.err },
			})
			check := func(err error) {
				t.Helper()
				if st := grpcstatus.Convert(err); st.Code() != tc.code || st.Message() != tc.text {
					t.Errorf("got %v", err)
				}
			}
			check(shop.Call(with(t, ""), h.conn, "Login", shop.Message{}))
			stream, err := shop.Open(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, "Watch")
			if err != nil {
				t.Fatal(err)
			}
			check(stream.RecvMsg(shop.Message{}.Proto()))
			if n := h.log.count(`"call failed"`); n != 2*tc.logged {
				t.Errorf("cause logged %d times, want %d", n, 2*tc.logged)
			}
		})
	}
}

func TestTheCauseOfAnOutageIsLoggedAsAWarningAndNeverShown(t *testing.T) {
	cause := errors.New("dial tcp: connection refused")
	down := status.New(codes.Unavailable, "shop.curfew.dev", reasonForTest, "try again", status.Retry(time.Second))
	for name, tc := range map[string]struct {
		err    error
		logged int
	}{
		"with a cause":          {status.WithCause(down, cause), 1},
		"with a cause, wrapped": {fmt.Errorf("use case: %w", status.WithCause(down, cause)), 1},
		"without one":           {down, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, &shop.Server{Unary: func(context.Context, string, *dynamicpb.Message) error { return tc.err }})
			err := shop.Call(with(t, ""), h.conn, "Login", shop.Message{})
			want(t, err, codes.Unavailable, status.Name(reasonForTest))
			if st := grpcstatus.Convert(err); st.Message() != "try again" || len(st.Details()) != 2 || strings.Contains(st.String(), cause.Error()) {
				t.Errorf("travels: %v", st)
			}
			if n := h.log.count(`"level":"WARN","msg":"call failed"`); n != tc.logged {
				t.Errorf("logged %d times, want %d", n, tc.logged)
			}
			if n := h.log.count(`"cause":"dial tcp: connection refused"`); n != tc.logged {
				t.Errorf("cause logged %d times, want %d", n, tc.logged)
			}
		})
	}
}

func TestAPanicBecomesAFixedTextAndIsLoggedOnceWithoutItsValue(t *testing.T) {
	h := newHarness(t, &shop.Server{
		Unary:  func(context.Context, string, *dynamicpb.Message) error { panic("s3cr3t") },
		Stream: func(string, grpc.ServerStream) error { panic(fmt.Errorf("s3cr3t")) },
	})
	raw := h.issuer.User(t, "u1", []string{"customer"})
	err := shop.Call(with(t, raw), h.conn, "Get", shop.Message{Name: "users/u1"})
	want(t, err, codes.Internal, "")
	if grpcstatus.Convert(err).Message() != "internal error" {
		t.Errorf("got %v", err)
	}
	stream, err := shop.Open(with(t, raw), h.conn, "Watch")
	if err != nil {
		t.Fatal(err)
	}
	want(t, stream.RecvMsg(shop.Message{}.Proto()), codes.Internal, "")
	if n := h.log.count(`"call failed"`); n != 2 {
		t.Errorf("logged %d times:\n%s", n, h.log)
	}
	if h.log.count("s3cr3t") != 0 {
		t.Error("the value of the panic is in the log")
	}
	if h.log.count(`"call finished"`) != 2 || h.log.count("chain_ext_test.go") == 0 {
		t.Errorf("no line per call, or no stack:\n%s", h.log)
	}
}

// explosive is an auditor with a bug.
type explosive struct{}

func (explosive) Audit(context.Context, interceptors.AuditEvent) { panic("s3cr3t") }

func TestAPanicOfALinkBecomesAFixedTextToo(t *testing.T) {
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Audit = explosive{} })
	raw := h.issuer.User(t, "u1", []string{"customer"})
	err := shop.Call(with(t, raw), h.conn, "Update", shop.Message{ThingName: "users/u1", RequestID: uuid.NewString()})
	want(t, err, codes.Internal, "")
	if grpcstatus.Convert(err).Message() != "internal error" || h.log.count(`"chain panicked"`) != 1 {
		t.Errorf("got %v, logged:\n%s", err, h.log)
	}
	if n := h.source.Inflight().Len(); n != 0 {
		t.Errorf("%d calls left in the index", n)
	}
}

func TestTheRequestIDIsKeptIfHarmlessAndMadeOtherwise(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	for name, tc := range map[string]struct {
		sent []string
		kept bool
	}{
		"harmless": {[]string{"abc-123"}, true},
		"none":     {nil, false},
		"hostile":  {[]string{`x" y`}, false},
		"too long": {[]string{strings.Repeat("a", 65)}, false},
		"two":      {[]string{"a", "b"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := with(t, "")
			for _, v := range tc.sent {
				ctx = metadata.AppendToOutgoingContext(ctx, interceptors.RequestIDKey, v)
			}
			var header metadata.MD
			if err := shop.Call(ctx, h.conn, "Login", shop.Message{}, grpc.Header(&header)); err != nil {
				t.Fatal(err)
			}
			got := header.Get(interceptors.RequestIDKey)
			if len(got) != 1 {
				t.Fatalf("got %v", got)
			}
			if _, err := uuid.Parse(got[0]); tc.kept != (got[0] == "abc-123") || (!tc.kept && err != nil) {
				t.Errorf("got %v", got)
			}
		})
	}
}
