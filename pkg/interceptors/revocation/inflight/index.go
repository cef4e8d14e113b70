// Package inflight is the index of running calls, so that a revocation can
// cancel the ones it concerns.
//
// Two orders make it complete. The interceptor registers the call and then
// asks the source; who revokes publishes the rule and then sweeps. Whichever
// comes first, either the check sees the rule or the sweep sees the call. Both
// sides are one atomic store and then atomic loads, which Go orders totally.
package inflight

import (
	"context"
	"sync/atomic"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// Owner is a revocation source whose sweeps reach an index. A chain registers
// its calls with the index of its source, if the source has one.
type Owner interface {
	Inflight() *Index
}

// Index holds the running calls of a process. The zero value is ready. It is
// safe for concurrent use, and calls do not wait for each other: one that finds
// a shard busy takes another one. It grows with the most calls that ever ran at
// once, 128 bytes each and half a megabyte besides, and does not shrink.
type Index struct {
	shard  [shards]shard
	chunks atomic.Pointer[chunk] // all slots; a list that only grows
	slots  atomic.Int64          // how many
}

// Register enters a call whose context derives from ctx. It must be done
// before the call is checked, and [Call.Leave] when it ends. failClosed says
// that the call must not outlive the lease of this replica for long
// ([Index.CancelFailClosed]).
func (x *Index) Register(ctx context.Context, c *Call, id *identity.Identity, failClosed bool) {
	c.Begin(ctx)
	c.id, c.failClosed = id, failClosed
	c.index, c.slot = x, x.take()
	c.slot.call.Store(c)
}

// Enter is [Index.Register] with a new call. It returns its context, and the
// function that takes the call out again.
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
	c.index.give(c.slot)
	c.index, c.slot = nil, nil
}

// Cancel cancels every running call whose identity matches, with the cause,
// and returns their number. It does not wait for their handlers.
func (x *Index) Cancel(match func(*identity.Identity) bool, cause error) int {
	return x.sweep(func(c *Call) bool { return match(c.id) }, cause)
}

// CancelFailClosed cancels every running call that was entered as fail-closed.
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
