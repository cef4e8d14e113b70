package grpcserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/internal/wait"
)

const (
	// idleTime is how long no call may be in flight before what is left is cut: a frozen client answers no GOAWAY, and
	// grpc-go would wait 6 s for it. Healthy clients are gone within milliseconds.
	idleTime = time.Second
	// handshakeTime is what connections get to finish their handshake after the listener closed.
	handshakeTime = 100 * time.Millisecond
	// pollInterval is how soon the health service follows the group until it serves.
	pollInterval = 25 * time.Millisecond
)

// Option configures [Add].
type Option interface{ apply(*server) }

type optionFunc func(*server)

func (f optionFunc) apply(s *server) { f(s) }

// WithTracker names the tracker whose options the server was made with. It is required.
func WithTracker(t *Tracker) Option { return optionFunc(func(s *server) { s.tracker = t }) }

// Add adds the parts of srv to g. The server serves on lis once everything behind it has started; if serving fails, g
// stops. health, if not nil, says NOT_SERVING until all parts of g have started, then SERVING for "" and every
// registered service while no part is unready, see [lifecycle.Part]; a change is told within 250 ms. So services must be
// registered before g runs. The group owns srv and lis from here on, even if it
// never starts.
func Add(g *lifecycle.Group, name string, srv *grpc.Server, lis net.Listener, health *health.Server, opts ...Option) error {
	if g == nil || srv == nil || lis == nil {
		return errors.New("grpcserver: group, server and listener are required")
	}
	s := &server{
		g: g, name: name, srv: srv, lis: newListener(lis), health: health,
		served: make(chan struct{}), gone: make(chan struct{}), followed: make(chan struct{}),
	}
	for _, o := range opts {
		o.apply(s)
	}
	if s.tracker == nil {
		return errors.New("grpcserver: WithTracker is required: without it calls in flight can't be counted")
	}
	parts := []lifecycle.Part{
		{Name: name + "/close", Phase: lifecycle.Close, Stop: s.close},
		{Name: name + "/handlers", Phase: lifecycle.Leave, Stop: s.handlers, Remaining: s.tracker.InFlight, Stuck: s.tracker.Calls},
		{Name: name, Phase: lifecycle.Drain, Stop: s.drain, Kill: s.cut, Remaining: s.tracker.InFlight, Unit: "in flight", EstimateDrain: s.tracker.EstimateDrain, Stuck: s.tracker.Calls},
		{Name: name + "/intake", Phase: lifecycle.IntakeOff, Start: s.serve, Stop: s.intakeOff},
	}
	if health != nil {
		s.setHealth(healthpb.HealthCheckResponse_NOT_SERVING)
		parts = append(parts, lifecycle.Part{Name: name + "/health", Phase: lifecycle.Announce, Start: s.follow, Stop: s.announce})
	}
	for _, p := range parts {
		if err := g.Add(p); err != nil {
			return fmt.Errorf("grpcserver: %w", err)
		}
	}
	return nil
}

// server is a gRPC server in a group.
type server struct {
	g       *lifecycle.Group
	name    string
	srv     *grpc.Server
	lis     *listener
	health  *health.Server
	tracker *Tracker

	serving  atomic.Bool
	served   chan struct{} // closed when Serve has returned
	followed chan struct{} // closed when health is not followed any more
	gone     chan struct{} // closed when all connections and all handlers are gone
	graceful sync.Once
	hard     sync.Once
}

func (s *server) serve(context.Context) error {
	s.serving.Store(true)
	go func() {
		defer close(s.served)
		if err := s.srv.Serve(s.lis); err != nil {
			s.g.Shutdown(fmt.Errorf("grpc server %q: %w", s.name, err))
		}
	}()
	return nil
}

// intakeOff lets GracefulStop close the listener and send GOAWAY. GracefulStop goes on in its own goroutine; it returns
// when the last handler has.
func (s *server) intakeOff(ctx context.Context) error {
	s.tracker.endWatches()
	s.stopGracefully()
	// Nobody gets a GOAWAY before the last handshake is over.
	limit, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	_ = wait.Until(limit, nil, func() bool { return s.lis.handshakes() == 0 })
	s.lis.cutHandshakes()
	return nil
}

func (s *server) stopGracefully() {
	s.graceful.Do(func() {
		go func() {
			defer close(s.gone)
			s.srv.GracefulStop()
		}()
	})
}

// drain waits for the calls in flight. A server without calls for idleTime has only clients left that do not answer.
func (s *server) drain(ctx context.Context) error {
	if !s.serving.Load() {
		return nil
	}
	s.stopGracefully()
	defer s.tell(ctx)()
	var idleSince time.Time
	var before uint64
	err := wait.Until(ctx, s.gone, func() bool {
		if wait.Closed(s.gone) {
			return true
		}
		inFlight, begun := s.tracker.count()
		if inFlight > 0 || begun != before || idleSince.IsZero() {
			before, idleSince = begun, time.Now()
		}
		return time.Since(idleSince) >= idleTime
	})
	s.cut()
	<-s.gone // past the deadline, too: the handlers have until the part is abandoned to notice the cut
	<-s.served
	return err
}

// tell tells long calls to end, in a goroutine that the returned function ends.
func (s *server) tell(ctx context.Context) (end func()) {
	within := s.g.Plan().Longest(lifecycle.Drain)
	if until, ok := ctx.Deadline(); ok {
		within = time.Until(until)
	}
	ctx, cancel := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		s.tracker.tellAll(ctx, within/2)
	}()
	return func() {
		cancel()
		<-told
	}
}

// cut closes all connections, which ends the contexts of their calls. It does not wait.
func (s *server) cut() {
	s.hard.Do(func() {
		s.lis.cutHandshakes()
		go s.srv.Stop()
	})
}

// handlers waits for handlers that were cut but still run: what they use is closed in the next phase.
func (s *server) handlers(ctx context.Context) error {
	return wait.Until(ctx, s.gone, func() bool { return !s.serving.Load() || wait.Closed(s.gone) })
}

// close closes the listener of a server that never came to serve.
func (s *server) close(context.Context) error {
	s.cut()
	_ = s.lis.Close() // closed already, as a rule
	return nil
}
