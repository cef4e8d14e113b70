package interceptors_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// inHandlers runs check with the context of a unary handler and of a stream's,
// for a method that needs a token and one that needs none.
func inHandlers(t *testing.T, check func(ctx context.Context, public bool) error) {
	t.Helper()
	service := &shop.Server{
		Unary: func(ctx context.Context, method string, _ *dynamicpb.Message) error {
			return check(ctx, method == "Login")
		},
		Stream: func(_ string, s grpc.ServerStream) error {
			if err := s.RecvMsg(shop.Message{}.Proto()); err != nil {
				return err
			}
			return check(s.Context(), false)
		},
	}
	h := newHarness(t, service)
	ctx := metadata.AppendToOutgoingContext(with(t, h.issuer.User(t, "u1", []string{"customer"})), interceptors.RequestIDKey, "corr-1")
	for _, method := range []string{"Get", "Login"} {
		if err := shop.Call(ctx, h.conn, method, shop.Message{Name: "users/u1/things/1"}); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	stream, err := shop.Open(ctx, h.conn, "Chat")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(shop.Message{ThingName: "users/u1/things/1"}.Proto()); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(shop.Message{}.Proto()); err != nil && !strings.Contains(err.Error(), "EOF") {
		t.Errorf("stream: %v", err)
	}
}

func TestAHandlerFindsTheCallInItsContext(t *testing.T) {
	inHandlers(t, func(ctx context.Context, public bool) error {
		if id := interceptors.RequestID(ctx); id != "corr-1" {
			t.Errorf("request id %q", id)
		}
		id, ok := identity.FromContext(ctx)
		if ok == public || (ok && id.Subject != "u1") {
			t.Errorf("identity %v of a public method %t", id, public)
		}
		if err := revocation.CommitGuard(ctx); (err == nil) == public {
			t.Errorf("guard of a public method %t: %v", public, err)
		}
		if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("authorization")) != 1 {
			t.Error("the context lost what the transport put into it")
		}
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		if interceptors.RequestID(child) != "corr-1" || child.Err() != nil {
			t.Error("a derived context lost the call")
		}
		return nil
	})
}

// Whoever prints a context, the standard library included, prints no token.
func TestAContextPrintsNoToken(t *testing.T) {
	inHandlers(t, func(ctx context.Context, _ bool) error {
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		for _, c := range []context.Context{ctx, child} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
				if text := fmt.Sprintf(verb, c); strings.Contains(text, "eyJ") || strings.Contains(strings.ToLower(text), "bearer") {
					t.Errorf("%s: %s", verb, text)
				}
			}
		}
		return nil
	})
}

// A service that forwards the token is told about it by whom it calls. That is
// no answer of this service.
func TestACallThatIsCutOffSaysSoWhateverADownstreamAnswers(t *testing.T) {
	entered := make(chan struct{})
	h := newHarness(t, &shop.Server{Unary: func(ctx context.Context, _ string, _ *dynamicpb.Message) error {
		close(entered)
		<-ctx.Done()
		st, err := grpcstatus.New(codes.Unauthenticated, "theirs").WithDetails(&errdetails.ErrorInfo{Domain: "authz.curfew.dev", Reason: "TOKEN_EXPIRED"})
		if err != nil {
			return err
		}
		return st.Err()
	}})
	done := make(chan error, 1)
	go func() { done <- shop.Call(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, "Get", own) }()
	<-entered
	h.revoke()
	want(t, <-done, codes.Unauthenticated, "TOKEN_REVOKED")
}
