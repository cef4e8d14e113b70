package server

import (
	"context"
	"io"
	"log/slog"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
	"github.com/curfew-platform/curfew/pkg/server/otlp"
)

// Config is what a service is configured with: a pointer to a struct that
// embeds Settings and that Kong fills.
type Config interface {
	// Common returns the embedded settings.
	Common() *Settings
	// Validate returns everything that is wrong, Settings included.
	Validate() error
}

// Command is one service as a program: its configuration, how it is composed,
// and what else it can do. A service's binary and `curfew run` share it.
type Command struct {
	// Name is the service, in lower case: flags are also read from
	// CURFEW_<NAME>_<FLAG>.
	Name string
	// Description is one sentence for --help.
	Description string
	// Config is filled before any of the functions runs.
	Config Config
	// Serve composes the service onto the group: it adds parts and returns.
	// It starts nothing that the group does not own.
	Serve func(ctx context.Context, rt *Runtime) error
	// Check writes what a serving process would enforce, for --check.
	Check func(w io.Writer) error
	// Migrate brings the schema up to date; nil if the service has none.
	Migrate func(ctx context.Context, rt *Runtime) error
	// Subcommands are further commands.
	Subcommands []Subcommand
}

// Subcommand is a further command of a service's binary.
type Subcommand struct {
	// Name on the command line.
	Name string
	// Help is one sentence.
	Help string
	// Hidden leaves it out of --help: for re-execs of the service itself.
	Hidden bool
	// Args is a pointer to a struct of further flags and arguments, or nil.
	Args any
	// Supervised runs it under a lifecycle group, as the serve command: Run
	// composes and returns. Otherwise Run does the work and returns.
	Supervised bool
	// Run is the command. The configuration is filled and not yet validated
	// unless Supervised is set.
	Run func(ctx context.Context, rt *Runtime) error
}

// Runtime is what Main gives to a command.
type Runtime struct {
	// Name of the service and version of the binary.
	Name, Version string
	// Log is shipped to Kafka and to the collector if so configured, beside standard error.
	Log *slog.Logger
	// LocalLog writes to standard error only.
	LocalLog *slog.Logger
	// Group owns everything that the service runs; nil in commands that are not supervised.
	Group *lifecycle.Group
	// Reexec is the command line after the executable that leads to this
	// service's command again: nothing for its own binary, `run NAME` in curfew.
	Reexec []string
	// Telemetry is where traces, metrics and logs go, nil for nowhere.
	Telemetry *otlp.Telemetry
	// Agent is the tie to the supervisor in a supervised child, else nil.
	Agent *supervisor.Agent
	// Stdout is for results, such as what --check prints.
	Stdout io.Writer
}
