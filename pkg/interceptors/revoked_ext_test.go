package interceptors_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/inflight"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

var own = shop.Message{Name: "users/u1/things/1"}

// revoke revokes all tokens of u1 below epoch 2 and returns how many running
// calls that cancelled.
func (h *harness) revoke() int {
	h.t.Helper()
	n, err := h.source.Revoke(revocation.Rule{
		Issuer: token.CurfewIssuer, Kind: revocation.KindSubjectEpoch, ID: "u1", Epoch: 2,
		KeepUntil: time.Now().Add(time.Hour),
	})
	if err != nil {
		h.t.Fatalf("revoke: %v", err)
	}
	return n
}

func TestTheNextCallWithARevokedTokenIsRefusedAlthoughTheTokenIsCached(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	raw := h.issuer.User(t, "u1", []string{"customer"})
	if err := shop.Call(with(t, raw), h.conn, "Get", own); err != nil {
		t.Fatal(err)
	}
	h.revoke()
	want(t, shop.Call(with(t, raw), h.conn, "Get", own), codes.Unauthenticated, "TOKEN_REVOKED")
	if n := h.source.Inflight().Len(); n != 0 {
		t.Errorf("%d calls are called running", n)
	}
	next := h.issuer.User(t, "u1", []string{"customer"}, tokentest.Claims{"epoch": 2})
	if err := shop.Call(with(t, next), h.conn, "Get", own); err != nil {
		t.Errorf("the token of the next epoch: %v", err)
	}
}

func TestARunningUnaryCallIsCancelledWhenItsTokenIsRevoked(t *testing.T) {
	entered := make(chan struct{})
	var cause error
	h := newHarness(t, &shop.Server{Unary: func(ctx context.Context, _ string, _ *dynamicpb.Message) error {
		close(entered)
		<-ctx.Done()
		cause = context.Cause(ctx)
		return ctx.Err()
	}})
	raw := h.issuer.User(t, "u1", []string{"customer"})
	done := make(chan error, 1)
	go func() { done <- shop.Call(with(t, raw), h.conn, "Get", own) }()
	<-entered
	if n := h.revoke(); n != 1 {
		t.Errorf("%d calls cancelled, want 1", n)
	}
	want(t, <-done, codes.Unauthenticated, "TOKEN_REVOKED")
	if !errors.Is(cause, revocation.ErrRevoked) {
		t.Errorf("cause %v", cause)
	}
	if n := h.source.Inflight().Len(); n != 0 {
		t.Errorf("%d calls left in the index", n)
	}
}

func TestACallThatRevokesItsOwnTokenStillAnswers(t *testing.T) {
	committed := status.New(codes.DeadlineExceeded, "shop.curfew.dev", reasonForTest, "committed")
	for name, tc := range map[string]struct {
		err  error
		code codes.Code
	}{
		"with its result":              {nil, codes.OK},
		"with an error that explains":  {committed, codes.DeadlineExceeded},
		"but not with a bare abortion": {context.Canceled, codes.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			var h *harness
			h = newHarness(t, &shop.Server{Unary: func(ctx context.Context, _ string, _ *dynamicpb.Message) error {
				h.revoke()
				<-ctx.Done()
				return tc.err
			}})
			err := shop.Call(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, "Get", own)
			if status.Code(err) != tc.code {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAStreamEndsWhenItsTokenIsRevokedWhateverItsHandlerDoes(t *testing.T) {
	for name, handler := range map[string]func(started chan<- struct{}, s grpc.ServerStream) error{
		"waiting for a silent client": func(started chan<- struct{}, s grpc.ServerStream) error {
			_ = s.RecvMsg(shop.Message{}.Proto())
			close(started)
			return s.RecvMsg(shop.Message{}.Proto())
		},
		"sending to a client that does not read": func(started chan<- struct{}, s grpc.ServerStream) error {
			close(started)
			for {
				large := shop.Message{Name: string(make([]byte, 64<<10))}
				if err := s.SendMsg(large.Proto()); err != nil {
					return err
				}
			}
		},
		"looking at the context": func(started chan<- struct{}, s grpc.ServerStream) error {
			close(started)
			<-s.Context().Done()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			started := make(chan struct{})
			h := newHarness(t, &shop.Server{Stream: func(_ string, s grpc.ServerStream) error { return handler(started, s) }})
			stream, err := shop.Open(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, "Chat")
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.SendMsg(shop.Message{ThingName: "users/u1/things/1"}.Proto()); err != nil {
				t.Fatal(err)
			}
			<-started
			if n := h.revoke(); n != 1 {
				t.Errorf("%d streams cancelled", n)
			}
			want(t, drain(stream), codes.Unauthenticated, "TOKEN_REVOKED")
		})
	}
}

// Who repeats a call has to know whether it may have had an effect.
func TestOnlyACallWhoseHandlerHadBegunIsCalledAdmitted(t *testing.T) {
	started := make(chan struct{})
	h := newHarness(t, &shop.Server{Stream: func(_ string, s grpc.ServerStream) error {
		close(started)
		<-s.Context().Done()
		return nil
	}})
	ctx := with(t, h.issuer.User(t, "u1", []string{"customer"}))
	stream, err := shop.Open(ctx, h.conn, "Chat")
	if err != nil {
		t.Fatal(err)
	}
	<-started
	h.revoke()
	cut := drain(stream)
	want(t, cut, codes.Unauthenticated, "TOKEN_REVOKED")
	refused := shop.Call(ctx, h.conn, "Get", own)
	want(t, refused, codes.Unauthenticated, "TOKEN_REVOKED")
	for err, admitted := range map[error]string{cut: "true", refused: ""} {
		if got := status.Info(err).GetMetadata()[creds.Admitted]; got != admitted {
			t.Errorf("admitted: %q, want %q", got, admitted)
		}
	}
}

// When the lease has been over for long, a replica ends what must not go on
// without one, and nothing else.
func TestOnlyCallsThatFailClosedEndWithTheLease(t *testing.T) {
	var h *harness
	var ended int
	h = newHarness(t, &shop.Server{Unary: func(context.Context, string, *dynamicpb.Message) error {
		ended = h.source.Inflight().CancelFailClosed(revocation.ErrStale)
		return nil
	}})
	customer, service := h.issuer.User(t, "u1", []string{"customer"}), h.issuer.Service(t, "orders")
	for method, call := range map[string]struct {
		token   string
		request shop.Message
		ends    int
	}{
		"BatchGet": {customer, shop.Message{Names: []string{"users/u1"}}, 1},
		"Get":      {customer, own, 0}, // bounded
		"Peek":     {service, shop.Message{}, 0},
	} {
		// What the handler decides stays.
		if err := shop.Call(with(t, call.token), h.conn, method, call.request); err != nil {
			t.Errorf("%s: %v", method, err)
		}
		if ended != call.ends {
			t.Errorf("%s: %d calls ended, want %d", method, ended, call.ends)
		}
	}
}

// drain reads until the stream ends and returns why.
func drain(stream grpc.ClientStream) error {
	for {
		if err := stream.RecvMsg(shop.Message{}.Proto()); err != nil {
			return err
		}
	}
}

// Within the leeway of the clocks a call is admitted. A stream would be cut off
// at once, and then nobody knows what its handler has done.
func TestAStreamWhoseTokenIsOverIsRefusedBeforeItsHandlerBegins(t *testing.T) {
	issuer := tokentest.New(t)
	profile := token.Curfew(issuer.URL, issuer.Keys(t))
	profile.Leeway = 2 * time.Minute
	verifier, err := token.NewVerifier(profile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	h := newHarness(t, &shop.Server{Stream: func(string, grpc.ServerStream) error {
		t.Error("the handler has begun")
		return nil
	}}, func(c *interceptors.Config) { c.Verifier = verifier })
	now := time.Now().Unix()
	ctx := with(t, issuer.User(t, "u1", []string{"customer"}, tokentest.Claims{"exp": now - 1, "iat": now - 5, "nbf": now - 5, "auth_time": now - 5}))
	if err := shop.Call(ctx, h.conn, "Get", own); err != nil {
		t.Errorf("a call, within the leeway: %v", err)
	}
	stream, err := shop.Open(ctx, h.conn, "Watch")
	if err != nil {
		t.Fatal(err)
	}
	err = drain(stream)
	want(t, err, codes.Unauthenticated, "TOKEN_EXPIRED")
	if admitted := status.Info(err).GetMetadata()[creds.Admitted]; admitted != "" {
		t.Errorf("admitted: %q", admitted)
	}
	if n := h.source.Inflight().Len(); n != 0 {
		t.Errorf("%d calls left in the index", n)
	}
}

// Tokens live for long, streams may not: what would end one must not keep it.
func TestAStreamThatEndedIsForgottenThoughItsTokenLives(t *testing.T) {
	forgotten := make(chan struct{})
	h := newHarness(t, &shop.Server{Stream: func(_ string, s grpc.ServerStream) error {
		interceptors.WhenForgotten(s.Context(), func() { close(forgotten) })
		return nil
	}})
	stream, err := shop.Open(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, "Watch")
	if err != nil {
		t.Fatal(err)
	}
	if err := drain(stream); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	patience := time.After(10 * time.Second)
	for {
		runtime.GC()
		select {
		case <-forgotten:
			return
		case <-patience:
			t.Fatal("the call is kept")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestAStreamEndsWhenItsTokenExpires(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	// On a machine that stood still the token was over before the stream came.
	for life, admitted := int64(3), ""; admitted != "true"; life *= 2 {
		if life > 60 {
			t.Fatal("nobody can tell that the stream had begun")
		}
		now := time.Now().Unix()
		raw := h.issuer.User(t, "u1", []string{"customer"}, tokentest.Claims{"exp": now + life, "iat": now - 5, "nbf": now - 5, "auth_time": now - 5})
		stream, err := shop.Open(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+raw), h.conn, "Watch")
		if err != nil {
			t.Fatal(err)
		}
		err = drain(stream)
		want(t, err, codes.Unauthenticated, "TOKEN_EXPIRED")
		admitted = status.Info(err).GetMetadata()[creds.Admitted]
	}
}

func TestStaleKnowledgeIsUnavailableWithRetryInfoAndNeverUnauthenticated(t *testing.T) {
	service := func(c *interceptors.Config) { c.Revocation = stale{age: shop.MaxStaleness - time.Second} }
	h := newHarness(t, &shop.Server{}, service)
	customer, admin := h.issuer.User(t, "u1", []string{"customer"}), h.issuer.Service(t, "orders")
	err := shop.Call(with(t, customer), h.conn, "BatchGet", shop.Message{Names: []string{"users/u1"}})
	want(t, err, codes.Unavailable, "REVOCATION_UNKNOWN")
	if d := status.Detail[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration(); d <= 0 {
		t.Errorf("retry after %s", d)
	}
	if err := shop.Call(with(t, customer), h.conn, "Get", own); err != nil {
		t.Errorf("bounded, within its bound: %v", err)
	}
	if err := shop.Call(with(t, admin), h.conn, "Peek", shop.Message{}); err != nil {
		t.Errorf("introspected as active: %v", err)
	}
	stream, err := shop.Open(with(t, customer), h.conn, "Watch")
	if err != nil {
		t.Fatal(err)
	}
	want(t, drain(stream), codes.Unavailable, "REVOCATION_UNKNOWN")
	if err := shop.Call(with(t, ""), h.conn, "Login", shop.Message{}); err != nil {
		t.Errorf("public: %v", err)
	}
}

func TestABoundedMethodStopsAtItsBound(t *testing.T) {
	for _, age := range []time.Duration{shop.MaxStaleness + time.Nanosecond, revocation.Unknown} {
		h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Revocation = stale{age: age} })
		want(t, shop.Call(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, "Get", own), codes.Unavailable, "REVOCATION_UNKNOWN")
	}
}

func TestIntrospectionDecidesWhenKnowledgeIsStale(t *testing.T) {
	for name, tc := range map[string]struct {
		answer error
		code   codes.Code
		reason string
	}{
		"active":      {nil, codes.OK, ""},
		"revoked":     {revocation.ErrRevoked, codes.Unauthenticated, "TOKEN_REVOKED"},
		"no answer":   {errors.New("connection refused"), codes.Unavailable, "REVOCATION_UNKNOWN"},
		"logged out?": {status.Plain(codes.Unauthenticated, "who are you"), codes.Unavailable, "REVOCATION_UNKNOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) {
				c.Revocation, c.Introspector = stale{age: revocation.Unknown}, introspector(func() error { return tc.answer })
			})
			want(t, shop.Call(with(t, h.issuer.Service(t, "orders")), h.conn, "Peek", shop.Message{}), tc.code, tc.reason)
			if tc.code == codes.Unavailable && h.log.count(tc.answer.Error()) == 0 {
				t.Error("the log does not say why")
			}
		})
	}
}

// turning is a source whose lease is over after the first check.
type turning struct {
	index inflight.Index
	left  int
}

func (s *turning) Check(*identity.Identity) revocation.Verdict {
	s.left--
	return revocation.Verdict{Fresh: s.left >= 0, StaleFor: time.Second}
}

func (s *turning) Inflight() *inflight.Index { return &s.index }

func TestCommitGuardRefusesWhenTheLeaseWasLostAfterAdmission(t *testing.T) {
	h := newHarness(t, &shop.Server{Unary: func(ctx context.Context, _ string, _ *dynamicpb.Message) error {
		return revocation.CommitGuard(ctx)
	}}, func(c *interceptors.Config) { c.Revocation = &turning{left: 1} })
	err := shop.Call(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, "BatchGet", shop.Message{Names: []string{"users/u1"}})
	want(t, err, codes.Unavailable, "REVOCATION_UNKNOWN")
}

func TestAFailClosedStreamEndsAsUnavailableWhenTheLeaseIsLost(t *testing.T) {
	source := &turning{left: 1}
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Revocation = source })
	ctx := with(t, h.issuer.User(t, "u1", []string{"customer"}))
	stream, err := shop.Open(ctx, h.conn, "Watch")
	if err != nil {
		t.Fatal(err)
	}
	for source.index.CancelFailClosed(revocation.ErrStale) == 0 {
		// The stream has not arrived yet.
		if err := ctx.Err(); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	want(t, drain(stream), codes.Unavailable, "REVOCATION_UNKNOWN")
}

func TestACallIsRegisteredBeforeItIsChecked(t *testing.T) {
	source := &registered{}
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Revocation = source })
	if err := shop.Call(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, "Get", own); err != nil {
		t.Fatal(err)
	}
	if source.seen != 1 {
		t.Errorf("%d calls in the index at the check, want 1", source.seen)
	}
}

// registered notes how many calls are in the index when it is asked.
type registered struct {
	index inflight.Index
	seen  int
}

func (s *registered) Check(*identity.Identity) revocation.Verdict {
	s.seen = s.index.Len()
	return revocation.Verdict{Fresh: true}
}

func (s *registered) Inflight() *inflight.Index { return &s.index }

// asking is a source with a store that answers when the call does not end first.
type asking struct{ t *testing.T }

func (a asking) Check(*identity.Identity) revocation.Verdict {
	a.t.Error("asked without the context of the call")
	return revocation.Verdict{StaleFor: revocation.Unknown}
}

func (a asking) CheckContext(ctx context.Context, id *identity.Identity) revocation.Verdict {
	if _, bounded := ctx.Deadline(); !bounded || id.Subject == "" || interceptors.RequestID(ctx) == "" {
		a.t.Error("not the context of the call")
	}
	return revocation.Verdict{Fresh: true, Revoked: id.Subject == "thief"}
}

func TestASourceThatAsksAStoreGetsTheContextOfTheCall(t *testing.T) {
	h := newHarness(t, &shop.Server{Unary: func(ctx context.Context, _ string, _ *dynamicpb.Message) error {
		return revocation.CommitGuard(ctx)
	}}, func(c *interceptors.Config) { c.Revocation = asking{t} })
	if err := h.get(with(t, h.issuer.User(t, "u1", []string{"customer"}))); err != nil {
		t.Error(err)
	}
	err := shop.Call(with(t, h.issuer.User(t, "thief", []string{"customer"})), h.conn, "Get", shop.Message{Name: "users/thief"})
	want(t, err, codes.Unauthenticated, "TOKEN_REVOKED")
}
