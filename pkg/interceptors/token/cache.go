package token

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// entry is a token that was verified.
type entry struct {
	raw      string
	hash     uint64 // of raw, for the front of its cache
	id       *identity.Identity
	deadline time.Time   // exp + leeway of its profile
	used     atomic.Bool // found in front, and the cache does not know yet
	gone     atomic.Bool // the cache has it no more, or is about to
}

// entryOverhead is what an entry weighs beside its text: the identity, its
// strings and the node of the cache.
const entryOverhead = 1 << 10

// cache holds verified tokens by their text.
type cache struct {
	front     front
	kept      *otter.Cache[string, *entry]
	hits      atomic.Uint64 // beside those of the front
	misses    atomic.Uint64
	evictions evictions
}

// evictions counts nothing else: the counter of the library takes a lock after
// each garbage collection, and calls would wait for it.
type evictions struct {
	stats.NoopRecorder
	n atomic.Uint64
}

// RecordEviction implements stats.Recorder.
func (e *evictions) RecordEviction(uint32) { e.n.Add(1) }

// newCache returns a cache of at most so many entries and about maxBytes
// bytes. The library bounds one quantity, so the weight of an entry is its
// size, but at least maxBytes/entries: both bounds hold.
func newCache(entries, maxBytes int) (*cache, error) {
	c := &cache{}
	c.front.init(entries)
	least := maxBytes / entries
	kept, err := otter.New(&otter.Options[string, *entry]{
		MaximumWeight: uint64(maxBytes),
		Weigher: func(raw string, _ *entry) uint32 {
			return uint32(max(len(raw)+entryOverhead, least))
		},
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *entry]) time.Duration {
			return time.Until(e.Value.deadline)
		}),
		StatsRecorder: &c.evictions,
		// What is not kept is not in the front either: the bounds are of both.
		OnAtomicDeletion: func(e otter.DeletionEvent[string, *entry]) { c.deleted(e.Value) },
	})
	if err != nil {
		return nil, fmt.Errorf("verified-token cache: %w", err)
	}
	c.kept = kept
	return c, nil
}

// get returns the entry of raw, or nil. Whether it has expired is not looked at.
func (c *cache) get(raw string) *entry {
	if e := c.front.get(raw); e != nil {
		return e
	}
	e, ok := c.kept.GetIfPresent(raw)
	if !ok {
		c.misses.Add(1)
		return nil
	}
	c.hits.Add(1)
	c.promote(e)
	return e
}

// add is when something may have to go. So it is also when the cache behind
// hears what is in use: calls that find their token would wait for its locks.
func (c *cache) add(e *entry) {
	for used := range c.front.used {
		c.kept.GetIfPresent(used.raw)
	}
	e.hash = c.front.hash(e.raw)
	c.kept.Set(e.raw, e)
	c.promote(e)
}

// promote puts an entry in front, unless it is deleted. It and deleted store
// first and look then, so whichever comes last takes the entry out.
func (c *cache) promote(e *entry) {
	c.front.put(e)
	if e.gone.Load() {
		c.front.drop(e)
	}
}

// deleted takes an entry out of the front. It is called before others see that
// the cache has no such entry.
func (c *cache) deleted(e *entry) {
	e.gone.Store(true)
	c.front.drop(e)
}

func (c *cache) stats() Stats {
	return Stats{
		Hits: c.front.found() + c.hits.Load(), Misses: c.misses.Load(), Evictions: c.evictions.n.Load(),
		Entries: c.kept.EstimatedSize(), Bytes: c.kept.WeightedSize(),
	}
}

// Stats are the counters of the verified-token cache since the start.
type Stats struct {
	// Hits and Misses count the calls of Verify.
	Hits, Misses uint64
	// Evictions counts the tokens that were removed, for lack of room or
	// because they expired.
	Evictions uint64
	// Entries that are in the cache, and what they weigh in bytes: estimates.
	Entries int
	Bytes   uint64
}
