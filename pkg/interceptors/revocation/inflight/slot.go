package inflight

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/curfew-platform/curfew/pkg/interceptors/internal/stripe"
)

const (
	shards     = 256
	chunkSlots = 16
	slotBytes  = 128 // two cache lines: processors fetch them in pairs
)

// slot is the place of one running call. A sweep reads it, nothing else of
// other processors does.
type slot struct {
	call atomic.Pointer[Call] // nil while it is free
	next *slot                // of the free list of a shard, guarded by its lock
	home *shard               // where it was taken from; nil for the first one of a shard
	_    [slotBytes - 3*unsafe.Sizeof(uintptr(0))]byte
}

// chunk is slots that are made at once.
type chunk struct {
	slots [chunkSlots]slot
	older *chunk
}

// shard is slots that are free. Goroutines that come back to one find a slot
// that is still in the cache of their processor. Most calls find the first slot
// free, and need nothing else of the shard.
type shard struct {
	first slot
	mu    sync.Mutex // held for a moment, and never waited for
	free  *slot
	_     [slotBytes - unsafe.Sizeof(sync.Mutex{}) - unsafe.Sizeof(uintptr(0))]byte
}

var (
	_ [slotBytes]byte     = [unsafe.Sizeof(slot{})]byte{}
	_ [2 * slotBytes]byte = [unsafe.Sizeof(shard{})]byte{}
)

// enter puts the call into a slot.
func (x *Index) enter(c *Call) *slot {
	first := &x.shard[stripe.Here()%shards].first
	if first.call.Load() == nil && first.call.CompareAndSwap(nil, c) {
		return first
	}
	s := x.take()
	s.call.Store(c)
	return s
}

// near returns a shard that nobody else has, locked: the goroutine's own, or
// else one of the next.
func (x *Index) near() *shard {
	for i := stripe.Here(); ; i++ {
		if s := &x.shard[i%shards]; s.mu.TryLock() {
			return s
		}
	}
}

func (x *Index) take() *slot {
	s := x.near()
	defer s.mu.Unlock()
	if s.free == nil {
		s.free = x.more()
	}
	taken := s.free
	s.free, taken.next, taken.home = taken.next, nil, s
	return taken
}

// give takes a slot back. It goes where it came from: the stack of a goroutine
// may have moved since, and slots would all drift one way.
func (x *Index) give(free *slot) {
	s := free.home
	if !s.mu.TryLock() {
		s = x.near()
	}
	defer s.mu.Unlock()
	s.free, free.next = free, s.free
}

// plenty is how many slots are made before it is worth while to look for free
// ones everywhere.
const plenty = shards * chunkSlots

// more returns a list of free slots: those of another shard, where there are
// many slots, else new ones.
func (x *Index) more() *slot {
	if x.slots.Load() >= plenty {
		for i := range x.shard {
			// The caller has its own, which is empty.
			if s := &x.shard[i]; s.mu.TryLock() {
				found := s.free
				s.free = nil
				s.mu.Unlock()
				if found != nil {
					return found
				}
			}
		}
	}
	made := &chunk{}
	for i := range chunkSlots - 1 {
		made.slots[i].next = &made.slots[i+1]
	}
	x.slots.Add(chunkSlots)
	// Sweeps see the slots before one of them has a call.
	for {
		made.older = x.chunks.Load()
		if x.chunks.CompareAndSwap(made.older, made) {
			return &made.slots[0]
		}
	}
}

// running yields the calls that run, and those that just ended.
func (x *Index) running(yield func(*Call) bool) {
	for i := range x.shard {
		if c := x.shard[i].first.call.Load(); c != nil && !yield(c) {
			return
		}
	}
	for made := x.chunks.Load(); made != nil; made = made.older {
		for i := range made.slots {
			if c := made.slots[i].call.Load(); c != nil && !yield(c) {
				return
			}
		}
	}
}
