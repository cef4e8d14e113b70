// Package feedgrpc serves an engine of the leased feed over gRPC, as
// curfew.revocation.v1.RevocationService. Run it behind a chain of package
// interceptors, which authenticates the watchers. Watchers connect with package
// watchergrpc.
//
// A method that revokes calls [feed.Engine.Await] after its commit, and returns
// [Status] of the error.
package feedgrpc

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/internal/revocationpb"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
)

// Service implements revocationv1.RevocationServiceServer. It does not
// authorize: that is up to the chain in front of it.
type Service struct {
	revocationv1.UnimplementedRevocationServiceServer
	engine    *feed.Engine
	directory feed.Directory // nil if there is none
}

var _ revocationv1.RevocationServiceServer = (*Service)(nil)

// New returns the service of an engine. directory is where it finds the
// watchers of the other engines; with nil it lists only its own.
func New(engine *feed.Engine, directory feed.Directory) *Service {
	return &Service{engine: engine, directory: directory}
}

// WatchRevocations serves one watcher. It needs an authenticated caller:
// acknowledgements of one principal never count for another.
func (s *Service) WatchRevocations(stream revocationv1.RevocationService_WatchRevocationsServer) error {
	id, ok := identity.FromContext(stream.Context())
	if !ok {
		return status.Plain(codes.Unauthenticated, "no caller")
	}
	err := s.engine.Serve(stream.Context(), id.Principal(), serverStream{stream})
	switch {
	case err == nil:
		return nil
	case stream.Context().Err() != nil:
		return grpcstatus.FromContextError(stream.Context().Err()).Err()
	case errors.Is(err, feed.ErrProtocol):
		return invalid("revocation feed protocol violated")
	default:
		return status.Plain(codes.Unavailable, "revocation stream ended")
	}
}

// AwaitRevocation waits at the barrier for a revocation that was committed
// before. If the deadline ends first, the error is DEADLINE_EXCEEDED: the
// revocation stays in force, and the call may be repeated.
func (s *Service) AwaitRevocation(ctx context.Context, r *revocationv1.AwaitRevocationRequest) (*revocationv1.AwaitRevocationResponse, error) {
	if r.GetSeq() < 1 {
		return nil, invalid("seq is not positive")
	}
	receipt, err := s.engine.Await(ctx, r.GetSeq())
	if err != nil {
		return nil, Status(err)
	}
	return &revocationv1.AwaitRevocationResponse{Revocation: Receipt(receipt)}, nil
}

// Receipt returns r as a message.
func Receipt(r feed.Receipt) *revocationv1.Receipt {
	return &revocationv1.Receipt{Seq: r.Seq, Acked: r.Acked, Expired: r.Expired, Waited: durationpb.New(r.Waited)}
}

type serverStream struct {
	stream revocationv1.RevocationService_WatchRevocationsServer
}

func (s serverStream) Send(m message.Response) error {
	wire, err := revocationpb.FromResponse(m)
	if err != nil {
		return err
	}
	return s.stream.Send(wire)
}

func (s serverStream) Recv() (message.Request, error) {
	wire, err := s.stream.Recv()
	if err != nil {
		return nil, err // io.EOF if the watcher closed its side
	}
	m, err := revocationpb.ToRequest(wire)
	if err != nil {
		return nil, errors.Join(feed.ErrProtocol, err)
	}
	return m, nil
}
