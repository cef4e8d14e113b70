package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/console"
	"github.com/curfew-platform/curfew/cmd/curfew/internal/state"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// What the phases after the services' drain are promised: the broker stops in
// Leave, PostgreSQL in Close.
const (
	leaveFloor    = time.Second
	closeFloor    = 2 * time.Second
	afterServices = 2*time.Second + leaveFloor + closeFloor + time.Second // The reserve and some slack included.
)

// startTimeout is for a machine that is slow or busy: a dozen processes start.
const startTimeout = 5 * time.Minute

// Main runs the environment, and the command in it unless that is empty, and
// returns the exit status: that of the command, else that of the stop.
func Main(flags *Flags, command []string, stdout, stderr io.Writer) int {
	status, err := run(flags, command, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "curfew dev:", err)
	}
	if status == lifecycle.ExitClean {
		return lifecycle.ExitCode(err)
	}
	return status
}

func run(flags *Flags, command []string, stdout, stderr io.Writer) (status int, err error) {
	show := console.New(stderr)
	folder, err := state.Open(flags.StateDir, flags.Reset)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	// A file of a run that was killed would be taken for the sign that this one is ready.
	if err := retract(folder); err != nil {
		return 0, err
	}
	ports, err := choosePorts(context.Background(), flags)
	if err != nil {
		return 0, err
	}
	env, err := newEnvironment(flags, folder, ports)
	if err != nil {
		return 0, err
	}
	logFile, err := os.OpenFile(env.logFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, fmt.Errorf("open the log: %w", err)
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	log := slog.New(show.Handler(slog.NewJSONHandler(logFile, nil)))
	group, err := lifecycle.New(lifecycle.WithGrace(flags.Grace), lifecycle.WithLogger(log), lifecycle.WithReportWriter(stderr), lifecycle.WithTable(),
		lifecycle.WithStartTimeout(startTimeout),
		lifecycle.WithBudget(lifecycle.Announce, 0, flags.Grace/3), // The command ends first.
		lifecycle.WithBudget(lifecycle.Commit, 0, time.Second),
		lifecycle.WithBudget(lifecycle.Leave, leaveFloor, 10*time.Second),
		lifecycle.WithBudget(lifecycle.Close, closeFloor, 10*time.Second))
	if err != nil {
		return 0, err
	}
	show.Printf("state in %s, log in %s", folder.Path(), env.logFile())
	e := &runner{environment: env, group: group, show: show, log: log, stdout: stdout}
	if err := e.compose(command); err != nil {
		return 0, err
	}
	err = group.Run(context.Background())
	return e.status, err
}
