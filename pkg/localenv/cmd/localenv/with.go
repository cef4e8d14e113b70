package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
	"github.com/curfew-platform/curfew/pkg/localenv/scratch"
)

type withCommand struct {
	Servers string   `arg:"" help:"Comma-separated names, such as postgres,kafka."`
	Command []string `arg:"" help:"The command, after --." passthrough:""`
}

// Run starts the servers on free ports in a scratch folder, tied to this
// process, runs the command with their addresses in its environment, and
// returns its exit status.
func (w withCommand) Run(place) (err error) {
	folder, err := scratch.Make("curfew-localenv")
	if err != nil {
		return err
	}
	// The account of a server walks through it.
	if err := os.Chmod(folder.Path(), 0o711); err != nil { //nolint:gosec // See above.
		return fmt.Errorf("open the scratch folder: %w", err)
	}
	var started []*daemon.Process
	defer func() { err = errors.Join(err, stopAll(started), folder.Remove()) }()
	env := os.Environ()
	for name := range strings.SplitSeq(w.Servers, ",") {
		process, variable, err := start(place{server: name, state: folder.Path()})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		started, env = append(started, process), append(env, variable)
	}
	return run(w.Command, env)
}

func start(p place) (*daemon.Process, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := p.prepare(ctx, 0)
	if err != nil {
		return nil, "", err
	}
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, "", fmt.Errorf("open the log: %w", err)
	}
	defer func() { _ = log.Close() }() // The child has its own descriptor.
	spec := s.Spec()
	spec.Output = log
	process, err := daemon.Start(spec)
	if err != nil {
		return nil, "", err
	}
	if err := process.Await(ctx, s.Ready); err != nil {
		return nil, "", errors.Join(err, stopAll([]*daemon.Process{process}))
	}
	return process, export(s), nil
}

// run runs the command in the foreground. An interrupt of the terminal reaches
// the command too; this process outlives it to stop the servers.
func run(command, env []string) error {
	if command[0] == "--" {
		command = command[1:]
	}
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // Running it is the purpose; signals end it.
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the command: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			return err
		case sig := <-signals:
			if sig == syscall.SIGTERM {
				_ = cmd.Process.Signal(sig) // It may have ended meanwhile.
			}
		}
	}
}

func stopAll(processes []*daemon.Process) error {
	var errs []error
	for _, process := range processes {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		errs = append(errs, process.Stop(ctx))
		cancel()
	}
	return errors.Join(errs...)
}
