package interceptors_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
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
