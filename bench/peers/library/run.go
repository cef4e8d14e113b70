package library

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/oklog/run"

	"github.com/curfew-platform/curfew/bench/peers/scenario"
)

// withRun: the part is an actor that drains when it is interrupted, with a
// bound of its own, since the group has none. The commit comes after Run.
func withRun(s *scenario.Stage, log io.Writer) int {
	interrupted := make(chan struct{})
	var group run.Group
	group.Add(run.SignalHandler(context.Background(), syscall.SIGTERM))
	group.Add(func() error {
		<-interrupted
		ctx, cancel := context.WithTimeout(context.Background(), s.Scaled(scenario.OwnTimeout))
		defer cancel()
		return s.Drain(ctx)
	}, func(error) { close(interrupted) })
	readyOnceHandled(s)
	err := group.Run()
	if commitErr := s.Commit(context.Background()); commitErr != nil {
		return failed(log, commitErr)
	}
	if errors.Is(err, run.ErrSignal) {
		return 0
	}
	return failed(log, err)
}
