// Package inflight is the index of running calls, so that a revocation can
// cancel the ones it concerns.
//
// Two orders make it complete. The interceptor registers the call and then
// asks the source; who revokes publishes the rule and then sweeps. Whichever
// comes first, either the check sees the rule or the sweep sees the call.
package inflight

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// Owner is a revocation source whose sweeps reach an index. A chain registers
// its calls with the index of its source, if the source has one.
type Owner interface {
	Inflight() *Index
}

const shards = 64

// Index holds the running calls of a process. The zero value is ready. It is
// safe for concurrent use; calls spread over shards, so that they seldom meet.
type Index struct {
	shard [shards]shard
}

type shard struct {
	mu   sync.Mutex
	head call // ring of the running calls
	n    int
	_    [64]byte // the next shard's lock is on another cache line
}

type call struct {
	next, prev *call
	id         *identity.Identity
	cancel     context.CancelCauseFunc
	failClosed bool
}

// Enter registers a call and returns its context, which a sweep cancels, and
// the function that takes the call out again; it must be called when the call
// ends, once. failClosed says that the call must not outlive the lease of this
// replica for long ([Index.CancelFailClosed]).
func (x *Index) Enter(ctx context.Context, id *identity.Identity, failClosed bool) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	c := &call{id: id, cancel: cancel, failClosed: failClosed}
	s := &x.shard[rand.Uint32()%shards]
	s.mu.Lock()
	if s.head.next == nil {
		s.head.next, s.head.prev = &s.head, &s.head
	}
	c.prev, c.next = s.head.prev, &s.head
	c.prev.next, c.next.prev = c, c
	s.n++
	s.mu.Unlock()
	return ctx, func() {
		s.mu.Lock()
		c.prev.next, c.next.prev = c.next, c.prev
		s.n--
		s.mu.Unlock()
		cancel(nil)
	}
}

// Cancel cancels every running call whose identity matches, with the cause,
// and returns their number. It does not wait for their handlers.
func (x *Index) Cancel(match func(*identity.Identity) bool, cause error) int {
	return x.sweep(func(c *call) bool { return match(c.id) }, cause)
}

// CancelFailClosed cancels every running call that was entered as fail-closed.
func (x *Index) CancelFailClosed(cause error) int {
	return x.sweep(func(c *call) bool { return c.failClosed }, cause)
}

// Len returns the number of running calls.
func (x *Index) Len() int {
	n := 0
	for i := range x.shard {
		s := &x.shard[i]
		s.mu.Lock()
		n += s.n
		s.mu.Unlock()
	}
	return n
}

func (x *Index) sweep(match func(*call) bool, cause error) int {
	n := 0
	var hit []*call
	for i := range x.shard {
		s := &x.shard[i]
		hit = hit[:0]
		s.mu.Lock()
		if s.head.next != nil {
			for c := s.head.next; c != &s.head; c = c.next {
				if match(c) {
					hit = append(hit, c)
				}
			}
		}
		s.mu.Unlock()
		// Outside the lock: a cancelled context runs what waits for it.
		for _, c := range hit {
			c.cancel(cause)
		}
		n += len(hit)
	}
	return n
}
