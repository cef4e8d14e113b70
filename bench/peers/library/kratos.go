package library

import (
	"context"
	"io"

	"github.com/go-kratos/kratos/v2"

	"github.com/curfew-platform/curfew/bench/peers/scenario"
)

// withKratos: the part is a server, the commit an AfterStop, which runs when
// every server has stopped.
func withKratos(s *scenario.Stage, log io.Writer) int {
	app := kratos.New(
		kratos.StopTimeout(s.Scaled(scenario.Timeout)),
		kratos.Server(server{s}),
		kratos.AfterStop(s.Commit),
	)
	readyOnceHandled(s) // The last hook runs before App.Run handles signals.
	if err := app.Run(); err != nil {
		return failed(log, err)
	}
	return 0
}

// server is a transport.Server whose Start returns at once, as one that
// serves in goroutines of its own.
type server struct{ stage *scenario.Stage }

func (server) Start(context.Context) error { return nil }

func (s server) Stop(ctx context.Context) error { return s.stage.Drain(ctx) }
