package token

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"github.com/curfew-platform/curfew/pkg/interceptors/internal/stripe"
)

const (
	frontBits = 14 // most slots of a front: 128 KiB
	tailBytes = 8
	stripes   = 64
	golden    = 0x9e3779b97f4a7c15
)

// front stands before the cache and finds what it holds without writing to
// anything that processors share: a library's cache notes each use. It is a
// table by the end of the token, which is the end of its signature, so nothing
// is hashed. A slot has one entry; others of the same slot are found in the
// cache behind.
type front struct {
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
	f.slots, f.shift = make([]atomic.Pointer[entry], 1<<width), 64-width
}

func (f *front) slot(raw string) *atomic.Pointer[entry] {
	if len(raw) < tailBytes {
		return &f.slots[0]
	}
	var tail [tailBytes]byte
	copy(tail[:], raw[len(raw)-tailBytes:])
	return &f.slots[binary.LittleEndian.Uint64(tail[:])*golden>>f.shift]
}

// get returns the entry of the whole text, or nil.
func (f *front) get(raw string) *entry {
	e := f.slot(raw).Load()
	if e == nil || e.raw != raw {
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

func (f *front) put(e *entry) { f.slot(e.raw).Store(e) }

// drop forgets the entry, if it is the one of its slot.
func (f *front) drop(e *entry) { f.slot(e.raw).CompareAndSwap(e, nil) }

func (f *front) found() uint64 {
	var n uint64
	for i := range f.hits {
		n += f.hits[i].n.Load()
	}
	return n
}
