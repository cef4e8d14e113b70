package inflight

import (
	"context"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// Call is one running call: its entry in the index, and the context of its
// handler, which a revocation can cancel. [Index.Register] or [Call.Begin]
// comes first. A Call is used once.
//
// It implements context.Context. Most handlers never wait on their context, so
// what is needed for waiting is only made when somebody does, and a call on
// which nobody waits allocates nothing besides the Call.
type Call struct {
	parent context.Context //nolint:containedctx // a context has one

	id         *identity.Identity
	index      *Index // where slot is one of; nil outside
	slot       *slot
	failClosed bool

	mu       sync.Mutex
	ended    bool                    // cancelled, or left
	cause    error                   // of that; nil says that the call has left
	standard context.Context         //nolint:containedctx // what can be waited on; nil before somebody does
	cancel   context.CancelCauseFunc // of standard
}

var _ context.Context = (*Call)(nil)

// Begin makes c a context that derives from parent, without an entry in an
// index. Only parent and [Call.Cancel] end it early.
func (c *Call) Begin(parent context.Context) { c.parent = parent }

// Leave takes the call out of its index and ends its context. Call it once.
func (c *Call) Leave() {
	c.unlink()
	c.Cancel(nil)
}

// Cancel ends the context with cause (context.Cause), unless it has ended
// already. A nil cause is context.Canceled.
func (c *Call) Cancel(cause error) {
	c.mu.Lock()
	// A parent that ended first is the reason, and stays it.
	if c.ended || (c.standard == nil && c.parent.Err() != nil) {
		c.mu.Unlock()
		return
	}
	c.ended, c.cause = true, cause
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

// waitable returns the standard context of the call.
func (c *Call) waitable() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.standard != nil:
	case c.ended:
		// The parent may have ended since, for another reason.
		c.standard, c.cancel = context.WithCancelCause(context.WithoutCancel(c.parent))
		c.cancel(c.cause)
	default:
		c.standard, c.cancel = context.WithCancelCause(c.parent)
	}
	return c.standard
}

// Deadline implements context.Context.
func (c *Call) Deadline() (time.Time, bool) { return c.parent.Deadline() }

// Done implements context.Context.
func (c *Call) Done() <-chan struct{} { return c.waitable().Done() }

// Err implements context.Context.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.standard != nil:
		return c.standard.Err()
	case c.ended:
		return context.Canceled
	default:
		return c.parent.Err()
	}
}

// Value implements context.Context. The standard library finds the cause of a
// context through it, and what to derive from.
func (c *Call) Value(key any) any {
	c.mu.Lock()
	standard, ended := c.standard, c.ended
	c.mu.Unlock()
	switch {
	case standard != nil:
		return standard.Value(key)
	case ended:
		return c.waitable().Value(key)
	default:
		return c.parent.Value(key)
	}
}

// String keeps the content of the call out of texts that name its context.
func (c *Call) String() string { return "inflight.Call" }
