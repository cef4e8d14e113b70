// Package guard runs a foreign command so that neither it nor what it started
// outlives this process: a process between the two holds one end of a pipe and
// kills the command's process group when the other end is gone. What is left of
// the group when the command has ended is killed too. Only what made a process
// group of its own, as a job of an interactive shell does, is its own business.
package guard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Command is a running command. Its methods may be called concurrently.
type Command struct {
	cmd    *exec.Cmd
	alive  *os.File // closed: the guard kills the group
	term   *terminal
	exited chan struct{}
	status int
	left   error // Why the rest of the group could not be killed.
}

// Start starts the command under a guard, which is this program with the
// arguments of reexec before "--" and the command. It gets the terminal, if
// this process has one in the foreground. The caller calls Wait.
func Start(reexec, command, env []string) (*Command, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	far, near, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make the guard's pipe: %w", err)
	}
	defer func() { _ = far.Close() }() // The guard has its own copy.
	args := append(append(append([]string(nil), reexec...), "--"), command...)
	c := &Command{
		cmd:   exec.Command(self, args...), //nolint:noctx // Stop and the pipe end it.
		alive: near, term: foreground(), exited: make(chan struct{}),
	}
	c.cmd.Env = env
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.cmd.ExtraFiles = []*os.File{far}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.term.lend(c.cmd.SysProcAttr)
	if err := c.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the command: %w", err), near.Close())
	}
	return c, nil
}

// Wait waits until the command has ended and its group is gone. It is called once,
// and must be: Stop waits for it.
func (c *Command) Wait() {
	defer close(c.exited)
	// The rest of the group is killed before the guard, its leader, is reaped:
	// until then nobody else can have the group's number.
	awaitEnd(c.cmd.Process.Pid)
	c.left = c.signal(syscall.SIGKILL)
	_ = c.cmd.Wait() // The state tells more than the error.
	c.term.takeBack()
	_ = c.alive.Close()
	c.status = exitStatus(c.cmd.ProcessState)
}

// awaitEnd waits for a child's end without reaping it.
func awaitEnd(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}

// Status is the exit status as a shell gives it, 128 + the signal's number for
// a command that a signal ended. It is valid once
// Wait has returned.
func (c *Command) Status() int { return c.status }

// Stop asks the command's process group to end, waits, and kills it when ctx
// ends first.
func (c *Command) Stop(ctx context.Context) error {
	select {
	case <-c.exited:
		return c.left
	default:
	}
	if err := c.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-c.exited:
		return c.left
	case <-ctx.Done():
	}
	if err := c.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-c.exited
	return fmt.Errorf("the command did not stop in time and was killed: %w", context.Cause(ctx))
}

func (c *Command) signal(sig syscall.Signal) error {
	if err := syscall.Kill(-c.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal the command: %w", err)
	}
	return nil
}

// exitStatus maps a process's end to what a shell reports.
func exitStatus(state *os.ProcessState) int {
	if state == nil {
		return 1
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}
