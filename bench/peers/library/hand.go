package library

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/curfew-platform/curfew/bench/peers/scenario"
)

// byHand is the main function of tutorials: wait for the signal, give it back
// so that a second one ends the process, stop one thing after the other.
func byHand(s *scenario.Stage, log io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM) //nolint:forbidigo // A process without pkg/lifecycle.
	defer stop()
	s.Ready()
	<-ctx.Done()
	stop()
	drain, cancel := context.WithTimeout(context.Background(), s.Scaled(scenario.OwnTimeout))
	defer cancel()
	if err := s.Drain(drain); err != nil {
		_, _ = fmt.Fprintln(log, err)
	}
	if err := s.Commit(context.Background()); err != nil {
		return failed(log, err)
	}
	return 0
}
