//go:build linux

package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrDown reports that the lab, or the node asked for, does not run.
var ErrDown = errors.New("the lab is down")

// spawn starts the node's first process, detached from this one.
func (n node) spawn() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	log, err := os.OpenFile(n.path("log", "node.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open a log: %w", err)
	}
	cmd := exec.Command(self, n.arguments()...) //nolint:noctx // The node outlives its driver.
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
	}
	if err = errors.Join(cmd.Start(), log.Close()); err != nil {
		return fmt.Errorf("start %s: %w", n.name(), err)
	}
	go func() { _ = cmd.Wait() }() // Reaped here while this process lives, else by the machine's first.
	return nil
}

func (n node) arguments() []string {
	return append(n.identity(), n.lab.programs)
}

// identity are the arguments by which a node is known, whatever programs it
// runs.
func (n node) identity() []string {
	return []string{InitArgument, n.lab.dir, strconv.Itoa(n.number)}
}

// pid finds the node's first process by its arguments, which name the lab's
// folder: no record can be lost or name a process that came later.
func (n node) pid() (int, error) {
	want := strings.Join(n.identity(), "\x00") + "\x00"
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, dir := range dirs {
		raw, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // It ended meanwhile.
		}
		if _, args, _ := strings.Cut(string(raw), "\x00"); strings.HasPrefix(args, want) {
			return strconv.Atoi(filepath.Base(dir))
		}
	}
	return 0, fmt.Errorf("%w: %s does not run", ErrDown, n.name())
}

// kill ends the node as a loss of power does: nothing on it is asked.
func (n node) kill(ctx context.Context) error {
	pid, err := n.pid()
	if errors.Is(err, ErrDown) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end %s: %w", n.name(), err)
	}
	// The first process goes only when all others of its namespace are gone.
	return await(ctx, "the end of "+n.name(), func(context.Context) error {
		if now, err := n.pid(); err == nil {
			return fmt.Errorf("process %d still runs", now)
		}
		return nil
	})
}

// command is one that runs on the node: in its network, mounts and processes.
func (n node) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	pid, err := n.pid()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, "nsenter", append(n.enter(pid, "/"), args...)...), nil
}

// enter are the arguments of nsenter for a command on the node that begins in
// the folder: that of the caller, so that names of files mean what they do
// outside.
func (n node) enter(pid int, dir string) []string {
	return []string{"-t", strconv.Itoa(pid), "-n", "-m", "-p", "--wdns=" + dir, "--"}
}

// output runs a command on the node; what it prints is part of the error.
func (n node) output(ctx context.Context, args ...string) (string, error) {
	cmd, err := n.command(ctx, args...)
	if err != nil {
		return "", err
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w: %s", n.name(), strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// Exec replaces this process by the command on the node. It returns only on
// failure.
func (l *Lab) Exec(number int, args []string) error {
	n := l.node(number)
	pid, err := n.pid()
	if err != nil {
		return err
	}
	path, err := exec.LookPath("nsenter")
	if err != nil {
		return fmt.Errorf("%w: missing: nsenter", ErrMissing)
	}
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the working folder: %w", err)
	}
	return syscall.Exec(path, append(append([]string{path}, n.enter(pid, dir)...), args...), os.Environ())
}

// Kubectl is the command line of kubectl as an administrator, for Exec on the
// first node.
func (l *Lab) Kubectl(args ...string) []string {
	return append([]string{l.program("kubernetes"), "kubectl", "--kubeconfig", l.Kubeconfig()}, args...)
}
