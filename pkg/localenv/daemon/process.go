// Package daemon starts foreign server programs, either tied to this process
// (they end when it does, even by SIGKILL) or detached from it and recorded in
// a file, so that a later run finds and stops them.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Spec describes a program to start.
type Spec struct {
	// Name is used in messages.
	Name string
	// Path is the program, Args its arguments without the program's name.
	Path string
	Args []string
	// Env replaces the environment; nil inherits it.
	Env []string
	// Dir is the working folder, empty for that of this process.
	Dir string
	// Credential is the account to run under, nil for that of this process.
	Credential *syscall.Credential
	// Output receives stdout and stderr. Detached programs need an *os.File.
	Output io.Writer
	// StopSignal asks for an orderly end; the zero value is SIGTERM.
	StopSignal syscall.Signal
	// DeathSignal is sent by the kernel when this process dies; the zero value
	// is SIGKILL. It works on Linux only and is ignored for detached programs.
	DeathSignal syscall.Signal
}

// Process is a program tied to this process. Its methods may be called
// concurrently.
type Process struct {
	name   string
	stop   syscall.Signal
	proc   *os.Process
	exited chan struct{}
	err    error
}

// Start starts the program in a process group of its own.
func Start(spec Spec) (*Process, error) {
	started := make(chan error, 1)
	p := &Process{name: spec.Name, stop: spec.stopSignal(), exited: make(chan struct{})}
	go func() {
		// The kernel's death signal fires when the thread that forked ends, so
		// this goroutine keeps its thread until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.exited)
		cmd := spec.command()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: spec.Credential}
		setDeathSignal(cmd.SysProcAttr, spec.deathSignal())
		if err := cmd.Start(); err != nil {
			p.err = fmt.Errorf("start %s: %w", spec.Name, err)
			started <- p.err
			return
		}
		p.proc = cmd.Process
		started <- nil
		p.err = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Pid is the process id.
func (p *Process) Pid() int { return p.proc.Pid }

// Exited is closed when the program has ended and was reaped.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err tells how the program ended; it is nil before that and after exit
// status 0.
func (p *Process) Err() error {
	select {
	case <-p.exited:
		return p.err
	default:
		return nil
	}
}

// Stop asks the program to end and waits for it. When ctx ends first the whole
// process group is killed and the error says so. Stopping an ended program is
// not an error.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.proc.Signal(p.stop); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
	}
	if err := syscall.Kill(-p.proc.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.exited
	return fmt.Errorf("%s did not stop in time and was killed: %w", p.name, context.Cause(ctx))
}

// Await polls ready until it returns nil. It fails when the program ends or
// ctx does; the last answer of ready is part of the error.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended before it was ready: %w", p.name, exitError(p.err))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", p.name, errors.Join(context.Cause(ctx), err))
		case <-tick.C:
		}
	}
}

func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func (s Spec) command() *exec.Cmd {
	// The life of a server is bounded by Stop, not by the context of its start.
	cmd := exec.Command(s.Path, s.Args...) //nolint:noctx // See above.
	cmd.Env, cmd.Dir = s.Env, s.Dir
	cmd.Stdout, cmd.Stderr = s.Output, s.Output
	// A grandchild that keeps the pipe open must not keep Wait from returning.
	cmd.WaitDelay = time.Second
	return cmd
}

func (s Spec) stopSignal() syscall.Signal {
	if s.StopSignal == 0 {
		return syscall.SIGTERM
	}
	return s.StopSignal
}

func (s Spec) deathSignal() syscall.Signal {
	if s.DeathSignal == 0 {
		return syscall.SIGKILL
	}
	return s.DeathSignal
}
