package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
)

// patience bounds a start, downloads included.
const patience = 10 * time.Minute

type upCommand struct {
	Port int `default:"0" help:"Port on loopback; 0 picks a free one." placeholder:"PORT"`
}

// Run starts the server, detached, unless the recorded one still runs.
func (u upCommand) Run(p place) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	unlock, err := p.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if record, err := daemon.Load(p.record()); err == nil {
		fmt.Printf("%s runs already: %s, pid %d\n", p.server, record.Address, record.Pid)
		return nil
	} else if !errors.Is(err, daemon.ErrNotRecorded) {
		return err
	}
	s, err := p.prepare(ctx, u.Port)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	spec := s.Spec()
	spec.Output = log
	record, err := daemon.Detach(spec, s.Address(), p.record())
	if err = errors.Join(err, log.Close()); err != nil {
		return err
	}
	if err := record.Await(ctx, s.Ready); err != nil {
		return fmt.Errorf("%w: see %s", err, s.LogFile())
	}
	name, value, _ := strings.Cut(export(s), "=")
	env := filepath.Join(p.dir(), "env")
	if err := os.WriteFile(env, fmt.Appendf(nil, "export %s='%s'\n", name, value), 0o600); err != nil {
		return fmt.Errorf("write the environment: %w", err)
	}
	fmt.Printf("%s is up: %s, pid %d; `. %s` exports %s\n", p.server, record.Address, record.Pid, env, name)
	return nil
}

// lock makes two runs on one state folder take turns.
func (p place) lock() (unlock func(), err error) {
	if err := os.MkdirAll(p.dir(), 0o711); err != nil { //nolint:gosec // Servers under another account walk through it.
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(p.dir(), "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock the state folder: %w", errors.Join(err, file.Close()))
	}
	return func() { _ = file.Close() }, nil
}
