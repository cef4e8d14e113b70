package guard

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// Statuses of a command that could not be run, as POSIX shells have them.
const (
	statusNotRunnable = 126
	statusNotFound    = 127
)

// Main is the guard process: it runs the command and returns its exit status.
// Descriptor 3 is the pipe whose end means that the parent is gone.
func Main(command []string) int {
	if len(command) == 0 {
		fmt.Fprintln(os.Stderr, "guard: no command")
		return statusNotRunnable
	}
	pipe := os.NewFile(3, "parent")
	syscall.CloseOnExec(3)
	go func() {
		_, _ = io.Copy(io.Discard, pipe) // Nothing is ever written: it ends when the parent does.
		_ = syscall.Kill(0, syscall.SIGKILL)
	}()
	// What ends the command reaches its whole group; the guard stays to report
	// the status. Caught signals, unlike ignored ones, are reset in the command.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // Its end is the guard's.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "curfew: %v\n", err)
		if _, lookErr := exec.LookPath(command[0]); lookErr != nil {
			return statusNotFound
		}
		return statusNotRunnable
	}
	_ = cmd.Wait() // The state tells more than the error.
	return exitStatus(cmd.ProcessState)
}
