package interceptors

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
)

// recoveryLink names what the chain does itself: a panic of a handler becomes
// an error before the way out, so that it is logged and audited like one, and
// the outermost interceptor catches a panic of the links.
func recoveryLink() link {
	return link{Link: Link{Name: "recovery", Does: "a panic becomes INTERNAL with a fixed text"}}
}

// panicError is a panic of a handler on its way to the error edge.
type panicError struct {
	what  string
	stack []byte
}

// newPanicError must be called by the deferred function that recovered, so
// that the stack still shows who panicked.
func newPanicError(value any) *panicError {
	// A runtime error describes itself harmlessly. Any other value may hold
	// what a handler was given, a password for example: only its type is kept.
	what := fmt.Sprintf("value of type %T", value)
	if r, ok := value.(runtime.Error); ok {
		what = r.Error()
	}
	return &panicError{what: what, stack: debug.Stack()}
}

func (e *panicError) Error() string { return "panic: " + e.what }

// recovered handles a panic of a link.
func recovered(logger *slog.Logger) func(ctx context.Context, p any) error {
	return func(ctx context.Context, p any) error {
		e := newPanicError(p)
		logger.LogAttrs(ctx, slog.LevelError, "chain panicked",
			slog.String("error", e.Error()), slog.String("stack", string(e.stack)))
		return errInternal
	}
}
