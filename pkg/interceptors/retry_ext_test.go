package interceptors_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

const retryPolicy = `{"methodConfig": [{"name": [{}], "retryPolicy": {
	"maxAttempts": 3, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]
}}]}`

// A gRPC client repeats an answer that consists of trailers only (gRFC A6): one header, and its retry policy is void.
func TestTheRetryPolicyOfAClientRepeatsARefusal(t *testing.T) {
	var calls atomic.Int32
	h := newHarness(t, &shop.Server{Unary: func(context.Context, string, *dynamicpb.Message) error {
		if calls.Add(1) < 3 {
			return status.Plain(codes.Unavailable, "not now")
		}
		return nil
	}})
	server := grpc.NewServer(h.chain.ServerOptions()...)
	h.service.Register(server)
	conn := serve(t, server, grpc.WithDefaultServiceConfig(retryPolicy))
	ctx := with(t, h.issuer.User(t, "u1", []string{"customer"}))
	var header metadata.MD
	if err := shop.Call(ctx, conn, "Update", shop.Message{ThingName: "users/u1", RequestID: uuid.NewString()}, grpc.Header(&header)); err != nil {
		t.Fatalf("after %d calls: %v", calls.Load(), err)
	}
	if calls.Load() != 3 || len(header.Get(interceptors.RequestIDKey)) != 1 {
		t.Errorf("%d calls, header %v", calls.Load(), header)
	}
}

func TestARefusalHasItsRequestIDInTheTrailer(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	var header, trailer metadata.MD
	ctx := metadata.AppendToOutgoingContext(with(t, ""), interceptors.RequestIDKey, "corr-1")
	err := shop.Call(ctx, h.conn, "Update", shop.Message{ThingName: "users/u1"}, grpc.Header(&header), grpc.Trailer(&trailer))
	want(t, err, codes.Unauthenticated, "TOKEN_MISSING")
	if got := trailer.Get(interceptors.RequestIDKey); len(got) != 1 || got[0] != "corr-1" || len(header.Get(interceptors.RequestIDKey)) != 0 {
		t.Errorf("trailer %v, header %v", trailer, header)
	}
}

// RetryInfo is for people who read details; a retry policy reads the trailer.
func TestTheRetryPolicyOfAClientWaitsAsLongAsTheServerAsks(t *testing.T) {
	const asked = 80 * time.Millisecond
	var calls []time.Time
	h := newHarness(t, &shop.Server{Unary: func(context.Context, string, *dynamicpb.Message) error {
		if calls = append(calls, time.Now()); len(calls) < 2 {
			return status.New(codes.Unavailable, "shop.test", authzv1.ErrorReason_ERROR_REASON_RATE_LIMITED, "not now", status.Retry(asked))
		}
		return nil
	}})
	server := grpc.NewServer(h.chain.ServerOptions()...)
	h.service.Register(server)
	conn := serve(t, server, grpc.WithDefaultServiceConfig(retryPolicy))
	ctx := with(t, h.issuer.User(t, "u1", []string{"customer"}))
	if err := shop.Call(ctx, conn, "Update", shop.Message{ThingName: "users/u1", RequestID: uuid.NewString()}); err != nil {
		t.Fatalf("after %d calls: %v", len(calls), err)
	}
	if len(calls) != 2 || calls[1].Sub(calls[0]) < asked {
		t.Errorf("%d calls: the second did not wait for %s", len(calls), asked)
	}
}

func TestTheAnswersOfAStreamBeginWithItsRequestID(t *testing.T) {
	h := newHarness(t, &shop.Server{Stream: func(_ string, s grpc.ServerStream) error { return s.SendMsg(shop.Message{}.Proto()) }})
	ctx := metadata.AppendToOutgoingContext(with(t, h.issuer.User(t, "u1", []string{"customer"})), interceptors.RequestIDKey, "r1")
	stream, err := shop.Open(ctx, h.conn, "Watch")
	if err != nil {
		t.Fatal(err)
	}
	header, err := stream.Header()
	if id := header.Get(interceptors.RequestIDKey); err != nil || len(id) != 1 || id[0] != "r1" {
		t.Errorf("%v, %v", id, err)
	}
}
