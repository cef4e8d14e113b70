package rpc

import (
	"context"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedgrpc"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// RevocationServer serves the feed, and ends its streams when the process
// stops: they have no end of their own, and a drain would wait for them.
type RevocationServer struct {
	*feedgrpc.Service

	ending context.Context //nolint:containedctx // of the server's life, not of a call
	end    context.CancelFunc
}

// NewRevocationServer returns a server of the engine.
func NewRevocationServer(engine *feed.Engine) *RevocationServer {
	ctx, cancel := context.WithCancel(context.Background())
	return &RevocationServer{Service: feedgrpc.New(engine), ending: ctx, end: cancel}
}

// End ends every stream, those that come later too. What their watchers hold
// stays valid for as long as it was granted.
func (s *RevocationServer) End() { s.end() }

// WatchRevocations implements revocationv1.RevocationServiceServer.
func (s *RevocationServer) WatchRevocations(stream revocationv1.RevocationService_WatchRevocationsServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	return s.Service.WatchRevocations(&endingStream{ServerStream: stream, watch: stream, ctx: ctx})
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
