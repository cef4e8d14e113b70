package token

import (
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// entry is a token that was verified.
type entry struct {
	id       *identity.Identity
	deadline time.Time // exp + leeway of its profile
}

// entryOverhead is what an entry weighs beside its text: the identity, its
// strings and the node of the cache.
const entryOverhead = 1 << 10

// newCache returns a cache of at most so many entries and about maxBytes
// bytes. The library bounds one quantity, so the weight of an entry is its
// size, but at least maxBytes/entries: both bounds hold.
func newCache(entries, maxBytes int) (*otter.Cache[string, *entry], error) {
	least := maxBytes / entries
	c, err := otter.New(&otter.Options[string, *entry]{
		MaximumWeight: uint64(maxBytes),
		Weigher: func(raw string, _ *entry) uint32 {
			return uint32(max(len(raw)+entryOverhead, least))
		},
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *entry]) time.Duration {
			return time.Until(e.Value.deadline)
		}),
		StatsRecorder: stats.NewCounter(),
	})
	if err != nil {
		return nil, fmt.Errorf("verified-token cache: %w", err)
	}
	return c, nil
}

// Stats counts what the verified-token cache did since the start.
type Stats struct {
	// Hits and Misses of Verify.
	Hits, Misses uint64
	// Evictions of tokens for lack of room, or because they ended.
	Evictions uint64
	// Entries that are in the cache, and what they weigh in bytes: estimates.
	Entries int
	Bytes   uint64
}

// HitRatio is hits by all, 0 before the first call.
func (s Stats) HitRatio() float64 {
	if s.Hits+s.Misses == 0 {
		return 0
	}
	return float64(s.Hits) / float64(s.Hits+s.Misses)
}
