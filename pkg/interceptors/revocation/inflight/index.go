// Package inflight is the index of the running calls of a process, so that a
// revocation can cancel the calls that it concerns.
//
// No call can slip through, because both sides keep an order. The chain
// registers a call and then asks the source. A source publishes a rule and then
// cancels. Whichever comes first, either the check sees the rule or the
// cancellation sees the call. Each side is one atomic store followed by atomic
// loads, and Go puts atomic operations into one total order.
package inflight

import (
	"context"
	"sync/atomic"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// Owner is implemented by revocation sources that cancel running calls. A chain
// registers its calls in the index of its source.
type Owner interface {
	// Inflight returns the same index each time.
	Inflight() *Index
}

// Index holds the running calls of a process. The zero value is ready. It is
// safe for concurrent use, and calls do not wait for each other. It takes half
// a megabyte, and 128 bytes for each of the most calls that ever ran at once;
// it does not shrink.
type Index struct {
	shard  [shards]shard
	chunks atomic.Pointer[chunk] // all slots; a list that only grows
	slots  atomic.Int64          // how many
}

// Register enters c into the index and makes it a context that derives from
// ctx. Do that before the call is checked, and call [Call.Leave] when the call
// ends. A call that is failClosed is cancelled soon after the lease of this
// replica ends ([Index.CancelFailClosed]).
func (x *Index) Register(ctx context.Context, c *Call, id *identity.Identity, failClosed bool) {
	c.Begin(ctx)
	c.id, c.failClosed = id, failClosed
	c.index, c.slot = x, x.enter(c)
}

// Enter is [Index.Register] with a new call. It returns the context of the
// call, and a function that takes the call out of the index, to be called once.
func (x *Index) Enter(ctx context.Context, id *identity.Identity, failClosed bool) (context.Context, func()) {
	c := &Call{}
	x.Register(ctx, c, id, failClosed)
	return c, c.Leave
}

// unlink takes the call out of its slot.
func (c *Call) unlink() {
	if c.slot == nil {
		return
	}
	c.slot.call.Store(nil)
	if c.slot.home != nil {
		c.index.give(c.slot)
	}
	c.index, c.slot = nil, nil
}

// Cancel cancels all running calls whose identity matches, with cause, and
// returns how many there were. It does not wait for their handlers.
func (x *Index) Cancel(match func(*identity.Identity) bool, cause error) int {
	return x.sweep(func(c *Call) bool { return match(c.id) }, cause)
}

// CancelFailClosed is [Index.Cancel] for all running calls that are
// fail-closed.
func (x *Index) CancelFailClosed(cause error) int {
	return x.sweep(func(c *Call) bool { return c.failClosed }, cause)
}

// Len returns the number of running calls.
func (x *Index) Len() int {
	n := 0
	for range x.running {
		n++
	}
	return n
}

// sweep holds no lock: a cancelled context runs what waits for it.
func (x *Index) sweep(match func(*Call) bool, cause error) int {
	n := 0
	for c := range x.running {
		if match(c) {
			c.Cancel(cause)
			n++
		}
	}
	return n
}
