package inflight

import (
	"sync"
	"sync/atomic"
)

// hand points at a shard. A pool keeps what was put into it at the processor
// that did, so goroutines of one processor take the same hand in turn: the
// lock and the ring of its shard stay in that processor's cache. Nothing
// depends on that but speed.
type hand struct{ n uint32 }

var (
	handed atomic.Uint32
	hands  = sync.Pool{New: func() any { return &hand{n: handed.Add(1)} }}
)
