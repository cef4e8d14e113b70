package creds_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// cut is what the chain answers when a handler had begun.
func cut(t *testing.T) error {
	t.Helper()
	st, err := grpcstatus.New(codes.Unauthenticated, "revoked").WithDetails(&errdetails.ErrorInfo{
		Domain: creds.ChainDomain, Reason: "TOKEN_REVOKED", Metadata: map[string]string{creds.Admitted: "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return st.Err()
}

func TestAStreamWithOneRequestIsBegunAnewOnlyIfNothingCanHaveHappened(t *testing.T) {
	revoked := refusal(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_REVOKED)
	for name, tc := range map[string]struct {
		service string
		first   error
		streams int32
		ends    error
	}{
		"refused when it began":       {"s", revoked, 2, io.EOF},
		"expired when it began":       {"s", refusal(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED), 2, io.EOF},
		"after an answer":             {"an answer first", revoked, 1, revoked},
		"after the handler had begun": {"s", cut(t), 1, revoked},
		"for something else":          {"s", grpcstatus.Error(codes.PermissionDenied, ""), 1, grpcstatus.Error(codes.PermissionDenied, "")},
	} {
		t.Run(name, func(t *testing.T) {
			m := &mill{life: 5 * time.Minute}
			g := &gate{judge: func(raw string) error {
				if raw == "t1" {
					return tc.first
				}
				return nil
			}}
			client := dial(t, g, m)
			request := &healthpb.HealthCheckRequest{Service: tc.service}
			stream, err := client.Watch(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			request.Service = "" // the caller's again
			for err == nil {
				_, err = stream.Recv()
			}
			if grpcstatus.Code(err) != grpcstatus.Code(tc.ends) || errors.Is(tc.ends, io.EOF) != errors.Is(err, io.EOF) || g.calls.Load() != tc.streams {
				t.Errorf("ended with %v after %d streams", err, g.calls.Load())
			}
			if grpcstatus.Code(tc.first) != codes.Unauthenticated {
				return
			}
			if next, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "s"}); err != nil {
				t.Error(err)
			} else if _, err := next.Recv(); !errors.Is(err, io.EOF) {
				t.Errorf("the next stream: %v, with %d tokens", err, m.made.Load())
			}
		})
	}
}

// TestACallThatWasCutOff: the handler may have done all of it.
func TestACallThatWasCutOffIsRepeatedOnlyIfItsProtoSaysThatThisIsSafe(t *testing.T) {
	for method, calls := range map[string]int32{
		revocationv1.RevocationService_ListRevocationReplicas_FullMethodName: 2,
		healthpb.Health_Check_FullMethodName:                                 1,
		"/nobody.knows.Service/Method":                                       1,
	} {
		t.Run(method, func(t *testing.T) {
			m := &mill{life: 5 * time.Minute}
			g := &gate{judge: func(raw string) error {
				if raw == "t1" {
					return cut(t)
				}
				return nil
			}}
			conn := connect(t, g, m)
			err := conn.Invoke(t.Context(), method, &healthpb.HealthCheckRequest{}, &healthpb.HealthCheckResponse{})
			if g.calls.Load() != calls || (err == nil) != (calls == 2) {
				t.Errorf("%v after %d calls", err, g.calls.Load())
			}
			if err := conn.Invoke(t.Context(), method, &healthpb.HealthCheckRequest{}, &healthpb.HealthCheckResponse{}); err != nil {
				t.Errorf("the next call has no new token: %v", err)
			}
		})
	}
}

// anything answers methods of any name as gate does.
func (g *gate) anything(_ any, s grpc.ServerStream) error {
	if err := s.RecvMsg(&healthpb.HealthCheckRequest{}); err != nil {
		return err
	}
	if err := g.pass(s.Context()); err != nil {
		return err
	}
	return s.SendMsg(&healthpb.HealthCheckResponse{})
}

// TestARenewalThatBeganBeforeARefusal may bring a token that is as dead: here
// the revocation comes while an early renewal is on its way.
func TestTheAnswerOfARenewalThatBeganBeforeTheRefusalIsNotTheLastWord(t *testing.T) {
	revoked := refusal(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_REVOKED)
	var dead atomic.Bool
	inFlight, answer := make(chan struct{}), make(chan struct{})
	asked := 0
	source := creds.SourceFunc(func(context.Context) (creds.Token, error) {
		asked++
		switch asked {
		case 1: // due in a second
			return creds.Token{Value: "a", ExpiresAt: time.Now().Add(time.Minute)}, nil
		case 2:
			close(inFlight)
			<-answer
			return creds.Token{Value: "b"}, nil
		default:
			return creds.Token{Value: "good"}, nil
		}
	})
	g := &gate{judge: func(raw string) error {
		switch {
		case raw == "a" && dead.Load():
			close(answer)
			return revoked
		case raw == "b":
			return revoked
		}
		return nil
	}}
	client := healthpb.NewHealthClient(connect(t, g, source, creds.WithEarly(time.Hour)))
	check := func() error {
		_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{})
		return err
	}
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for begun := false; !begun; {
		if err := check(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-inFlight:
			begun = true
		case <-pace.C:
		}
	}
	dead.Store(true)
	if err := check(); err != nil {
		t.Errorf("got %v after asking %d times", err, asked)
	}
}

func TestATokenThatWasFoundAndIsDeadTooIsRenewedUntilTheIssuerWasAsked(t *testing.T) {
	revoked := refusal(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_REVOKED)
	for name, tc := range map[string]struct {
		tokens []creds.Token
		calls  int32
		code   codes.Code
	}{
		"then the issuer is asked":   {[]creds.Token{{Value: "a"}, {Value: "b", Found: true}, {Value: "good"}}, 3, codes.OK},
		"the issuer was asked":       {[]creds.Token{{Value: "a"}, {Value: "b"}, {Value: "good"}}, 2, codes.Unauthenticated},
		"found, for ever":            {[]creds.Token{{Value: "a"}, {Value: "b", Found: true}, {Value: "c", Found: true}, {Value: "d", Found: true}, {Value: "good"}}, 4, codes.Unauthenticated},
		"nothing but the same again": {[]creds.Token{{Value: "a", Found: true}}, 1, codes.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gate{judge: func(raw string) error {
				if raw != "good" {
					return revoked
				}
				return nil
			}}
			asked := 0
			client := dial(t, g, creds.SourceFunc(func(context.Context) (creds.Token, error) {
				asked++
				return tc.tokens[min(asked, len(tc.tokens))-1], nil
			}))
			if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); grpcstatus.Code(err) != tc.code || g.calls.Load() != tc.calls {
				t.Errorf("%v after %d calls", err, g.calls.Load())
			}
		})
	}
}
