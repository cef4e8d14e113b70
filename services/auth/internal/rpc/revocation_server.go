package rpc

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedgrpc"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// Head is the end of the feed.
type Head interface {
	// Reached says whether something was committed at seq.
	Reached(ctx context.Context, seq int64) (bool, error)
}

// maxAwaiting bounds the calls of AwaitRevocation that wait: each holds memory
// of the engine for as long as a row lease, and anybody who can log in can call.
const maxAwaiting = 256

// RevocationServer serves the feed, and ends its streams one after the other
// when the process stops: they have no end of their own, and a drain would wait
// for them. What their watchers hold stays valid for as long as it was granted.
type RevocationServer struct {
	*feedgrpc.Service

	barrier  account.Barrier
	head     Head
	awaiting chan struct{}
}

// NewRevocationServer returns a server of the engine.
func NewRevocationServer(engine *feed.Engine, directory feed.Directory, barrier account.Barrier, head Head) *RevocationServer {
	return &RevocationServer{
		Service: feedgrpc.New(engine, directory), barrier: barrier, head: head,
		awaiting: make(chan struct{}, maxAwaiting),
	}
}

// WatchRevocations implements revocationv1.RevocationServiceServer.
func (s *RevocationServer) WatchRevocations(stream revocationv1.RevocationService_WatchRevocationsServer) error {
	ctx := grpcserver.Stopping(stream.Context())
	err := s.Service.WatchRevocations(&endingStream{ServerStream: stream, watch: stream, ctx: ctx})
	if errors.Is(context.Cause(ctx), grpcserver.ErrStopping) {
		return status.Plain(codes.Unavailable, "the service is stopping, watch another replica")
	}
	return err
}

// AwaitRevocation implements revocationv1.RevocationServiceServer. It says
// nothing about a position that the feed has not reached: what is committed
// there later would be certified before it is in force.
func (s *RevocationServer) AwaitRevocation(ctx context.Context, r *revocationv1.AwaitRevocationRequest) (*revocationv1.AwaitRevocationResponse, error) {
	if r.GetSeq() < 1 {
		return nil, status.New(codes.InvalidArgument, authzDomain, authzv1.ErrorReason_ERROR_REASON_REQUEST_INVALID,
			"seq is not positive", status.Field("seq", "not positive"))
	}
	select {
	case s.awaiting <- struct{}{}:
		defer func() { <-s.awaiting }()
	default:
		return nil, status.New(codes.ResourceExhausted, authzDomain, authzv1.ErrorReason_ERROR_REASON_RATE_LIMITED,
			"too many calls wait for revocations", status.Retry(busyRetry))
	}
	reached, err := s.head.Reached(ctx, r.GetSeq())
	if err != nil {
		return nil, fail(err)
	}
	if !reached {
		return nil, status.New(codes.NotFound, domain, authv1.ErrorReason_ERROR_REASON_SEQ_NOT_REACHED,
			"nothing was revoked at this position yet", status.Field("seq", "above the head of the feed"))
	}
	receipt, err := s.barrier.Await(ctx, r.GetSeq())
	if err != nil {
		return nil, fail(err)
	}
	return &revocationv1.AwaitRevocationResponse{Revocation: receiptMessage(receipt)}, nil
}

// endingStream is a stream with a context that can end before the transport's.
type endingStream struct {
	grpc.ServerStream

	watch revocationv1.RevocationService_WatchRevocationsServer
	ctx   context.Context //nolint:containedctx // what the interface is
}

// Context implements grpc.ServerStream.
func (s *endingStream) Context() context.Context { return s.ctx }

// Send implements the generated stream.
func (s *endingStream) Send(m *revocationv1.WatchRevocationsResponse) error { return s.watch.Send(m) }

// Recv implements the generated stream.
func (s *endingStream) Recv() (*revocationv1.WatchRevocationsRequest, error) { return s.watch.Recv() }
