package library

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/thejerf/suture/v4"

	"github.com/curfew-platform/curfew/bench/peers/scenario"
)

// withSuture: the part is a service that drains when its context ends, with a
// bound of its own, since that context has no deadline. The commit comes after
// Serve, which waits for its services no longer than the timeout.
func withSuture(s *scenario.Stage, log io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM) //nolint:forbidigo // A process without pkg/lifecycle.
	defer stop()
	supervisor := suture.New("peers", suture.Spec{
		Timeout:   s.Scaled(scenario.Timeout),
		EventHook: func(e suture.Event) { _, _ = fmt.Fprintln(log, e) },
	})
	supervisor.Add(service{s})
	_ = supervisor.Serve(ctx) // The end of the context, in every scenario.
	left, err := supervisor.UnstoppedServiceReport()
	if err != nil {
		return failed(log, err)
	}
	if err := s.Commit(context.Background()); err != nil {
		return failed(log, err)
	}
	if len(left) > 0 {
		return failed(log, fmt.Errorf("%d services have not stopped", len(left)))
	}
	return 0
}

type service struct{ stage *scenario.Stage }

// Serve implements suture.Service.
func (s service) Serve(ctx context.Context) error {
	s.stage.Ready()
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.stage.Scaled(scenario.OwnTimeout))
	defer cancel()
	return s.stage.Drain(drain)
}
