package supervisor

import (
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	supervisorv1 "github.com/curfew-platform/curfew/proto/gen/curfew/internalapi/supervisor/v1"
)

// service is the control service that a child serves to its parent.
type service struct {
	supervisorv1.UnsafeSupervisorServiceServer

	agent *Agent
}

// errSecondStream refuses a second control stream on the channel.
var errSecondStream = errors.New("the child is supervised already")

// Supervise serves the one control stream.
func (s *service) Supervise(stream supervisorv1.SupervisorService_SuperviseServer) error {
	a := s.agent
	done := make(chan struct{})
	a.mu.Lock()
	first := a.talking == nil
	if first {
		a.talking = done
	}
	a.mu.Unlock()
	if !first {
		return status.Error(codes.FailedPrecondition, errSecondStream.Error())
	}
	defer close(done)
	// Recv fails when the handler returns, and that ends the goroutine.
	heard := make(chan struct{})
	a.work.Go(func() {
		defer close(heard)
		a.listen(stream)
	})
	if err := a.talk(stream); err != nil {
		return err
	}
	// The parent hangs up when it has heard the Bye.
	select {
	case <-heard:
	case <-stream.Context().Done():
	}
	return nil
}

// listen does what the parent says.
func (a *Agent) listen(stream supervisorv1.SupervisorService_SuperviseServer) {
	for {
		request, err := stream.Recv()
		if err != nil {
			return
		}
		switch m := request.GetMessage().(type) {
		case *supervisorv1.SuperviseRequest_Drain:
			a.drain(m.Drain.GetRemaining().AsDuration())
		case *supervisorv1.SuperviseRequest_Stop:
			a.raise(2, notice("stop"))
		}
	}
}

// talk tells the parent how the child is, until it leaves.
func (a *Agent) talk(stream supervisorv1.SupervisorService_SuperviseServer) error {
	err := stream.Send(&supervisorv1.SuperviseResponse{Message: &supervisorv1.SuperviseResponse_Hello{
		Hello: &supervisorv1.Hello{Version: ProtocolVersion, Slot: int32(a.id.slot), Generation: a.id.generation},
	}})
	tick := time.NewTicker(a.id.heartbeat)
	defer tick.Stop()
	ready, drained := a.ready, a.drained
	for err == nil {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-tick.C:
			err = stream.Send(a.heartbeat())
		case <-ready:
			ready = nil
			if !isClosed(a.drained) { // a child that never was ready is not any more
				err = stream.Send(&supervisorv1.SuperviseResponse{Message: &supervisorv1.SuperviseResponse_Ready{Ready: &supervisorv1.Ready{}}})
			}
		case <-drained:
			ready, drained = nil, nil
			err = stream.Send(&supervisorv1.SuperviseResponse{Message: &supervisorv1.SuperviseResponse_Drained{Drained: &supervisorv1.Drained{}}})
		case <-a.leaving:
			return stream.Send(&supervisorv1.SuperviseResponse{Message: &supervisorv1.SuperviseResponse_Bye{Bye: &supervisorv1.Bye{Reason: a.farewell()}}})
		}
	}
	return err
}

// heartbeat asks the application how its work goes.
func (a *Agent) heartbeat() *supervisorv1.SuperviseResponse {
	a.mu.Lock()
	inFlight, progress, oldest := a.inFlight, a.progress, a.oldest
	a.mu.Unlock()
	h := &supervisorv1.Heartbeat{}
	if inFlight != nil {
		h.InFlight = max(0, inFlight())
	}
	if progress != nil {
		h.Progress = progress()
	}
	if oldest != nil && h.GetInFlight() > 0 {
		h.Oldest = durationpb.New(max(0, oldest()))
	}
	return &supervisorv1.SuperviseResponse{Message: &supervisorv1.SuperviseResponse_Heartbeat{Heartbeat: h}}
}

// farewell is the reason in a Bye.
func (a *Agent) farewell() string {
	if isClosed(a.orphaned) {
		return ErrOrphaned.Error()
	}
	return "the group has stopped"
}
