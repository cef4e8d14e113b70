// Package logproc is the service that moves log records from Kafka to
// PostgreSQL: nothing lost, nothing twice. A parent process is the group's
// member and supervises worker processes that read, decode and store.
//
// The package is the composition root; its binary and `curfew run logproc`
// share Command. DESIGN.md in this folder says where what is.
package logproc

import (
	"context"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/logproc/internal/decode"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres/migrations"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

// Command returns the service as a program: serve, migrate, and the hidden
// worker that serve runs as child processes.
func Command() server.Command {
	return command(decode.New())
}

// command takes the decoder of the worker processes, which tests replace by one
// that dies of a record.
func command(decoder worker.Decoder) server.Command {
	cfg := &Config{}
	args := &workerArgs{}
	return server.Command{
		Name:        "logproc",
		Description: "Log records from Kafka to PostgreSQL, nothing lost, nothing twice.",
		Config:      cfg,
		Serve:       func(ctx context.Context, rt *server.Runtime) error { return serve(ctx, rt, cfg) },
		Check:       cfg.describe,
		Migrate: func(ctx context.Context, rt *server.Runtime) error {
			return cfg.Database.Migrate(ctx, migrations.FS, rt.Log)
		},
		Subcommands: []server.Subcommand{{
			Name:       workerName,
			Help:       "A worker process; started by serve.",
			Hidden:     true,
			Args:       args,
			Supervised: true,
			Run:        func(ctx context.Context, rt *server.Runtime) error { return work(ctx, rt, cfg, args, decoder) },
		}},
	}
}
