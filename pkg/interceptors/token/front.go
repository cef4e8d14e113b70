package token

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"github.com/curfew-platform/curfew/pkg/interceptors/internal/stripe"
)

const (
	frontBits = 14 // most slots of a front: 128 KiB
	stripes   = 64
)

// front stands before the cache and finds what it holds without writing to
// anything that processors share: a library's cache notes each use. It is a
// table by a hash of the whole token whose key is random, so that nobody can aim
// at the slot of another's token. Two texts are compared only when their hashes
// are equal: how long that takes says nothing to who guesses. A slot has one
// entry; others of the same slot are found in the cache behind.
type front struct {
	seed  maphash.Seed
	slots []atomic.Pointer[entry]
	shift int
	hand  atomic.Uint64 // of used
	hits  [stripes]struct {
		n atomic.Uint64
		_ [120]byte // two cache lines: processors fetch them in pairs
	}
}

func (f *front) init(entries int) {
	width := min(bits.Len(uint(entries-1)), frontBits)
	f.seed = maphash.MakeSeed()
	f.slots, f.shift = make([]atomic.Pointer[entry], 1<<width), 64-width
}

func (f *front) hash(raw string) uint64 { return maphash.String(f.seed, raw) }

func (f *front) slot(hash uint64) *atomic.Pointer[entry] { return &f.slots[hash>>f.shift] }

// get returns the entry of the whole text, or nil.
func (f *front) get(raw string) *entry {
	hash := f.hash(raw)
	e := f.slot(hash).Load()
	if e == nil || e.hash != hash || e.raw != raw {
		return nil
	}
	f.hits[stripe.Here()%stripes].n.Add(1)
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e
}

// used looks at some slots, each time at the next ones, and yields the entries
// that were found since it was there last.
func (f *front) used(yield func(*entry) bool) {
	const some = 8
	last := f.hand.Add(some)
	for i := last - some; i < last; i++ {
		e := f.slots[i%uint64(len(f.slots))].Load()
		if e != nil && e.used.Load() {
			e.used.Store(false)
			if !yield(e) {
				return
			}
		}
	}
}

// put enters an entry whose hash is set.
func (f *front) put(e *entry) { f.slot(e.hash).Store(e) }

// drop forgets the entry, if it is the one of its slot.
func (f *front) drop(e *entry) { f.slot(e.hash).CompareAndSwap(e, nil) }

func (f *front) found() uint64 {
	var n uint64
	for i := range f.hits {
		n += f.hits[i].n.Load()
	}
	return n
}
