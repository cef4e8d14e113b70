package grpcserver

import (
	"context"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// followTime is how often health asks the group while it serves. A process that is not ready yet is waited for, so it is
// asked more often.
const followTime = 250 * time.Millisecond

// setHealth sets the status of the process and of each of its services.
func (s *server) setHealth(status healthpb.HealthCheckResponse_ServingStatus) {
	s.health.SetServingStatus("", status)
	for service := range s.srv.GetServiceInfo() {
		s.health.SetServingStatus(service, status)
	}
}

// follow is the Start of the part of health, after which the health service says what the group says.
func (s *server) follow(context.Context) error {
	serving := s.tellHealth(false)
	go func() {
		defer close(s.followed)
		for {
			every := pollInterval
			if serving {
				every = followTime
			}
			next := time.NewTimer(every)
			select {
			case <-next.C:
				serving = s.tellHealth(serving)
			case <-s.g.Stopping():
				next.Stop()
				return
			}
		}
	}()
	return nil
}

// tellHealth sets the status if it has changed from what was said before, and returns what it is now.
func (s *server) tellHealth(before bool) bool {
	now := s.wanted(s.g.Status())
	switch {
	case now == before:
	case now:
		s.setHealth(healthpb.HealthCheckResponse_SERVING)
	default:
		s.setHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	}
	return now
}

// wanted reports whether this process may be sent calls. The part of health is among the last that start: it need not
// wait for itself.
func (s *server) wanted(st lifecycle.Status) bool {
	if st.State == "stopping" {
		return false
	}
	for _, p := range st.Parts {
		if p.Condition >= lifecycle.Unready && p.Name != s.name+"/health" {
			return false
		}
	}
	return true
}

// announce says NOT_SERVING for good.
func (s *server) announce(ctx context.Context) error {
	s.health.Shutdown() // what the follower still says has no effect
	select {
	case <-s.followed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
