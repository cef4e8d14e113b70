package control

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

// tellEvery spaces the events of a stream: a busy worker commits more often
// than its parent wants to know.
const tellEvery = 50 * time.Millisecond

// Server serves a worker to its parent.
type Server struct {
	logprocv1.UnimplementedWorkerServiceServer
	worker   *worker.Worker
	orphaned <-chan struct{}
	told     chan struct{} // closed when the parent has the report
}

// Register adds the service of w. A worker whose parent is dead, which orphaned
// says, takes nothing more, not even a grant that was on its way.
func Register(r grpc.ServiceRegistrar, w *worker.Worker, orphaned <-chan struct{}) *Server {
	s := &Server{worker: w, orphaned: orphaned, told: make(chan struct{})}
	logprocv1.RegisterWorkerServiceServer(r, s)
	return s
}

// Told is closed when the parent has the report of the stopped worker.
func (s *Server) Told() <-chan struct{} { return s.told }

// Assign queues grants.
func (s *Server) Assign(_ context.Context, req *logprocv1.AssignRequest) (*logprocv1.AssignResponse, error) {
	select {
	case <-s.orphaned:
		return nil, status.Error(codes.FailedPrecondition, "the parent is dead")
	default:
	}
	grants, err := fromGrants(req.GetGrants())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if !s.worker.Assign(grants) {
		return nil, status.Error(codes.FailedPrecondition, "the worker has stopped")
	}
	return &logprocv1.AssignResponse{}, nil
}

// Release takes partitions back.
func (s *Server) Release(ctx context.Context, req *logprocv1.ReleaseRequest) (*logprocv1.ReleaseResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(req.GetTimeoutMillis())*time.Millisecond)
	defer cancel()
	return &logprocv1.ReleaseResponse{Partitions: toProgresses(s.worker.Release(ctx, fromKeys(req.GetPartitions())))}, nil
}

// Range returns what is in work.
func (s *Server) Range(context.Context, *logprocv1.RangeRequest) (*logprocv1.RangeResponse, error) {
	return &logprocv1.RangeResponse{Partitions: toProgresses(s.worker.Range())}, nil
}

// Watch streams events until the report was sent and the parent, having it,
// ends the stream.
func (s *Server) Watch(_ *logprocv1.WatchRequest, stream grpc.ServerStreamingServer[logprocv1.WatchResponse]) error {
	ctx := stream.Context()
	pace := time.NewTicker(tellEvery)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-s.worker.Ready():
		}
		for _, e := range s.worker.Events() {
			if err := stream.Send(toResponse(e)); err != nil {
				return err
			}
			if e.Kind == worker.Stopped {
				<-ctx.Done()
				close(s.told)
				return nil
			}
		}
		select {
		case <-ctx.Done():
		case <-pace.C:
		}
	}
}
