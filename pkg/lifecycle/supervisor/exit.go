package supervisor

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Step is how far the escalation went to end a child.
type Step int

const (
	// StepNone means that the child was not told to stop.
	StepNone Step = iota
	// StepDrain is Drain over the channel, or [Spec.StopSignal] of a plain child.
	StepDrain
	// StepTerm is SIGTERM.
	StepTerm
	// StepQuit is SIGQUIT, on which a Go program prints its stacks and exits.
	StepQuit
	// StepKill is SIGKILL for the process group.
	StepKill
)

// String returns the name of the step as it appears in reports.
func (s Step) String() string {
	switch s {
	case StepDrain:
		return "drain"
	case StepTerm:
		return "SIGTERM"
	case StepQuit:
		return "SIGQUIT"
	case StepKill:
		return "SIGKILL"
	default:
		return "none"
	}
}

// Exit is the end of one generation of a child.
type Exit struct {
	// Name is [Spec.Name].
	Name string
	// Slot counts from 0.
	Slot int
	// Generation counts the starts of the slot, from 1.
	Generation int64
	// Pid is 0 if the process could not be started.
	Pid int
	// State is what the kernel said; nil if the process could not be started.
	State *os.ProcessState
	// Code is the exit status; -1 if a signal ended the child or it never ran.
	Code int
	// Signal ended the child; 0 if it exited. A signal with [StepNone] came
	// from outside of the supervisor, or from the child itself.
	Signal syscall.Signal
	// Reason says who caused the end.
	Reason Reason
	// Err details the reason; nil after a stop in time.
	Err error
	// Step is the last step of the escalation that was taken.
	Step Step
	// Ready tells whether the generation was ever ready.
	Ready bool
	// Ran is the time from start to end.
	Ran time.Duration
	// Stderr is the last 64 KiB that the child wrote to stderr, where a Go
	// program leaves the trace of its panic.
	Stderr string
	// Stacks is what the child wrote to stderr after SIGQUIT, at most 256 KiB.
	Stacks string
}

// Forced tells whether the child was told to stop and had to be forced.
func (e Exit) Forced() bool { return e.Step >= StepTerm }

// String names the child and how it ended in one line.
func (e Exit) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%d generation %d (pid %d): %s", e.Name, e.Slot, e.Generation, e.Pid, e.Reason)
	if e.Step > StepDrain {
		fmt.Fprintf(&b, " by %s", e.Step)
	}
	switch {
	case e.Signal != 0:
		fmt.Fprintf(&b, ", ended by signal %q", e.Signal)
	case e.State != nil:
		fmt.Fprintf(&b, ", exit status %d", e.Code)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// StopError names the children that did not stop clean: that were forced, that
// failed in their own stop, or that still live. The stop report carries it as
// the error of the part.
type StopError struct {
	// Exits are the ends that were not clean, in their order.
	Exits []Exit
	// Alive are the children that were not reaped yet.
	Alive []Status
}

// Error names every one of them with how it ended.
func (e *StopError) Error() string {
	var parts []string
	for _, x := range e.Exits {
		parts = append(parts, x.String())
	}
	for _, s := range e.Alive {
		parts = append(parts, fmt.Sprintf("%s/%d generation %d (pid %d): still alive, %s", s.Name, s.Slot, s.Generation, s.Pid, s.State))
	}
	return "children did not stop clean: " + strings.Join(parts, "; ")
}

// Unwrap makes the error a [lifecycle.ErrDeadlineExceeded], and the exit code 3,
// if work may be lost: a child that had been ready was forced, still lives, or
// said so itself by that exit code.
func (e *StopError) Unwrap() error {
	lost := len(e.Alive) > 0
	for _, x := range e.Exits {
		lost = lost || x.Ready && (x.Forced() || x.Code == lifecycle.ExitDeadline)
	}
	if lost {
		return lifecycle.ErrDeadlineExceeded
	}
	return nil
}

// Stack returns the Go stacks that forced children printed, one after another,
// each under the name of its child; empty if there are none.
func (e *StopError) Stack() string {
	var b strings.Builder
	for _, x := range e.Exits {
		if x.Stacks != "" {
			fmt.Fprintf(&b, "%s/%d generation %d (pid %d)\n%s\n", x.Name, x.Slot, x.Generation, x.Pid, x.Stacks)
		}
	}
	return b.String()
}
