package lifecycle

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
)

var (
	// ErrDeadlineExceeded marks a part that did not finish in its time, and is the cause of its context then.
	ErrDeadlineExceeded = errors.New("deadline of the phase exceeded")
	// ErrSecondSignal marks a part that a second signal cut short, and is the cause of its context then.
	ErrSecondSignal = errors.New("second signal")
	// ErrThirdSignal is in the error of Run, and the cause of every context, after a third signal.
	ErrThirdSignal = errors.New("third signal")
	// ErrStartTimeout marks a start that took longer than the start timeout, and is the cause of the context of every
	// Start then. It is no missed deadline of a stop: the exit code is 1.
	ErrStartTimeout = errors.New("start deadline exceeded")
	// ErrStopping is returned by operations that are not possible any more because the stop has begun.
	ErrStopping = errors.New("lifecycle: the group is stopping")
	// ErrRemaining marks a part whose Stop returned although its Remaining was not 0.
	ErrRemaining = errors.New("stopped with something remaining")
)

// The exit codes of a process that ends with [ExitCode].
const (
	ExitClean    = 0 // everything stopped in its time
	ExitError    = 1 // a failure was the cause of the stop, or a part failed to stop
	ExitUsage    = 2 // the configuration or the command line is wrong; a restart won't help
	ExitDeadline = 3 // a part was forced, abandoned or skipped: work may be lost
)

// ExitCode maps an error of [New] or [Group.Run] to the exit code of the process: nil is 0, a [*UsageError] or
// [*BudgetError] is 2, an error that holds [ErrDeadlineExceeded], [ErrSecondSignal] or [ErrThirdSignal] is 3, any other is 1. Where several
// apply, 2 wins over 3 and 3 over 1: that work may be lost is the more important news.
func ExitCode(err error) int {
	var usage *UsageError
	var budget *BudgetError
	switch {
	case err == nil:
		return ExitClean
	case errors.As(err, &usage), errors.As(err, &budget):
		return ExitUsage
	case errors.Is(err, ErrDeadlineExceeded), errors.Is(err, ErrSecondSignal), errors.Is(err, ErrThirdSignal):
		return ExitDeadline
	default:
		return ExitError
	}
}

// UsageError wraps an error that the operator must repair: a bad flag, a missing file. [ExitCode] maps it to 2.
type UsageError struct{ Err error }

// Error returns the text of the wrapped error.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *UsageError) Unwrap() error { return e.Err }

// PanicError is a panic of a part or a goroutine of the group, turned into an error.
type PanicError struct {
	Value any // what was passed to panic
	stack string
}

// recovered makes the error of a panic; call it from the deferred function that recovered value.
func recovered(value any) *PanicError {
	return &PanicError{Value: value, stack: string(debug.Stack())}
}

// Error returns the value of the panic without its stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Stack returns the stack of the goroutine that panicked.
func (e *PanicError) Stack() string { return e.stack }

// Unwrap returns the value of the panic if that was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// StopError is the error of a Run that did not end clean: the cause of the stop, if that was a failure, and what went
// wrong in the stop, part by part.
type StopError struct{ errs []error }

// Error returns all messages on one line.
func (e *StopError) Error() string {
	texts := make([]string, len(e.errs))
	for i, err := range e.errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the single errors.
func (e *StopError) Unwrap() []error { return e.errs }
