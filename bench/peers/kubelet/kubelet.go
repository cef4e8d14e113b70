// Package kubelet stops a process as a kubelet does: SIGTERM, and SIGKILL when
// the grace is over. It notes what the process said meanwhile, on the clock of
// who waits for it.
package kubelet

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/bench/peers/scenario"
)

// startLimit bounds the start of a process.
const startLimit = 30 * time.Second

// Commit says what became of the commit step.
type Commit string

// The fates of a commit.
const (
	Done   Commit = "done"
	CutOff Commit = "begun, not finished"
	Never  Commit = "never begun"
)

// Outcome is how a process stopped. All times count from the SIGTERM.
type Outcome struct {
	Commit Commit
	// Left is what the grace had left when the commit began.
	Left time.Duration
	// Ended is when the process was gone.
	Ended time.Duration
	// Exit is its exit code, -1 if a signal ended it.
	Exit int
	// Signal ended it, if not 0; SIGKILL is ours.
	Signal syscall.Signal
	// Log is what the process wrote to its standard error.
	Log string
}

// Stop starts a command that speaks the events of package scenario, sends
// SIGTERM once it is ready, a second one after second if that is not 0, and
// SIGKILL after grace.
func Stop(ctx context.Context, cmd *exec.Cmd, grace, second time.Duration) (Outcome, error) {
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return Outcome{}, fmt.Errorf("start: %w", err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return Outcome{}, fmt.Errorf("start: %w", err)
	}
	events := make(chan event, 8)
	go read(stdout, events)
	out, err := conduct(ctx, cmd.Process.Pid, events, grace, second)
	var exit *exec.ExitError
	if waitErr := cmd.Wait(); waitErr != nil && !errors.As(waitErr, &exit) {
		return Outcome{}, fmt.Errorf("wait: %w", waitErr)
	}
	out.Log = stderr.String()
	if err != nil {
		return out, fmt.Errorf("%w\n%s", err, out.Log)
	}
	out.Exit = cmd.ProcessState.ExitCode()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		out.Signal = status.Signal()
	}
	return out, nil
}

type event struct {
	name string
	at   time.Time
}

// read closes events when the process has ended.
func read(stdout io.Reader, events chan<- event) {
	defer close(events)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		events <- event{lines.Text(), time.Now()}
	}
}

// conduct sends the signals and listens until the process has ended.
func conduct(ctx context.Context, pid int, events <-chan event, grace, second time.Duration) (Outcome, error) {
	type signal struct {
		after time.Duration
		sig   syscall.Signal
	}
	signals := []signal{{0, syscall.SIGTERM}}
	if second > 0 {
		signals = append(signals, signal{second, syscall.SIGTERM})
	}
	signals = append(signals, signal{grace, syscall.SIGKILL})

	var (
		out   = Outcome{Commit: Never}
		began time.Time
		ready bool
		fault error
		timer = time.NewTimer(startLimit)
	)
	defer timer.Stop()
	for {
		select {
		case e, open := <-events:
			if !open {
				if began.IsZero() && fault == nil {
					fault = errors.New("ended before it was stopped")
				}
				out.Ended = time.Since(began)
				return out, fault
			}
			switch e.name {
			case scenario.EventReady:
				ready = true
				timer.Reset(0)
			case scenario.EventCommit:
				out.Commit, out.Left = CutOff, grace-e.at.Sub(began)
			case scenario.EventCommitted:
				out.Commit = Done
			}
		case <-timer.C:
			if !ready {
				fault = errors.New("not ready in time")
				signals = []signal{{0, syscall.SIGKILL}}
			}
			if began.IsZero() {
				began = time.Now()
			}
			group := pid
			if signals[0].sig == syscall.SIGKILL {
				group = -pid
			}
			if err := syscall.Kill(group, signals[0].sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				fault = fmt.Errorf("signal: %w", err)
			}
			if signals = signals[1:]; len(signals) > 0 {
				timer.Reset(time.Until(began.Add(signals[0].after)))
			}
		case <-ctx.Done():
			fault, ctx = context.Cause(ctx), context.WithoutCancel(ctx)
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
	}
}
