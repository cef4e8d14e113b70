package library

import (
	"context"
	"fmt"
	"io"

	"go.uber.org/fx"

	"github.com/curfew-platform/curfew/bench/peers/scenario"
)

// withFx: OnStop hooks run in reverse order, so the commit is appended first.
// The body is that of App.Run, which would call os.Exit itself.
func withFx(s *scenario.Stage, log io.Writer) int {
	app := fx.New(
		fx.NopLogger,
		fx.StopTimeout(s.Scaled(scenario.Timeout)),
		fx.Invoke(func(life fx.Lifecycle) {
			life.Append(fx.Hook{OnStop: s.Commit})
			life.Append(fx.Hook{OnStop: s.Drain})
		}),
	)
	start, cancel := context.WithTimeout(context.Background(), app.StartTimeout())
	defer cancel()
	if err := app.Start(start); err != nil {
		return failed(log, err)
	}
	signals := app.Wait()
	s.Ready()
	sig := <-signals
	stop, cancel := context.WithTimeout(context.Background(), app.StopTimeout())
	defer cancel()
	if err := app.Stop(stop); err != nil {
		return failed(log, fmt.Errorf("stop: %w", err))
	}
	return sig.ExitCode
}
