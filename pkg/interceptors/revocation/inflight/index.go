// Package inflight is the index of running calls, so that a revocation can
// cancel the ones it concerns.
//
// Two orders make it complete. The interceptor registers the call and then
// asks the source; who revokes publishes the rule and then sweeps. Whichever
// comes first, either the check sees the rule or the sweep sees the call.
package inflight

import (
	"context"
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
// safe for concurrent use; every processor has a shard of its own, as long as
// there are not more than shards of them, so that calls do not meet.
type Index struct {
	shard [shards]shard
}

type shard struct {
	mu    sync.Mutex
	first *Call
	n     int
	_     [104]byte // two cache lines: processors fetch them in pairs
}

// Register enters a call whose context derives from ctx. It must be done
// before the call is checked, and [Call.Leave] when it ends. failClosed says
// that the call must not outlive the lease of this replica for long
// ([Index.CancelFailClosed]).
func (x *Index) Register(ctx context.Context, c *Call, id *identity.Identity, failClosed bool) {
	c.Begin(ctx)
	c.id, c.failClosed = id, failClosed
	h, _ := hands.Get().(*hand)
	s := &x.shard[h.n%shards]
	hands.Put(h)
	c.shard = s
	s.mu.Lock()
	c.next = s.first
	if c.next != nil {
		c.next.prev = c
	}
	s.first = c
	s.n++
	s.mu.Unlock()
}

// Enter is [Index.Register] with a new call. It returns its context, and the
// function that takes the call out again.
func (x *Index) Enter(ctx context.Context, id *identity.Identity, failClosed bool) (context.Context, func()) {
	c := &Call{}
	x.Register(ctx, c, id, failClosed)
	return c, c.Leave
}

// unlink takes the call out of its shard.
func (c *Call) unlink() {
	s := c.shard
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	s.n--
	c.shard, c.prev, c.next = nil, nil, nil
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
	for i := range x.shard {
		s := &x.shard[i]
		s.mu.Lock()
		n += s.n
		s.mu.Unlock()
	}
	return n
}

func (x *Index) sweep(match func(*Call) bool, cause error) int {
	n := 0
	var hit []*Call
	for i := range x.shard {
		s := &x.shard[i]
		hit = hit[:0]
		s.mu.Lock()
		for c := s.first; c != nil; c = c.next {
			if match(c) {
				hit = append(hit, c)
			}
		}
		s.mu.Unlock()
		// Outside the lock: a cancelled context runs what waits for it.
		for _, c := range hit {
			c.Cancel(cause)
		}
		n += len(hit)
	}
	return n
}
