// Package rate limits how often something happens, for each of many keys, in
// bounded memory.
package rate

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// Limit is a token bucket: so many a second in the long run, Burst at once.
// The zero Limit is none.
type Limit struct {
	// PerSecond is the rate at which the bucket fills.
	PerSecond float64
	// Burst is the size of the bucket. Default: one second's worth, at least 1.
	Burst int
}

// Off tells whether there is no limit.
func (l Limit) Off() bool { return l == (Limit{}) }

// String describes the limit for --check.
func (l Limit) String() string {
	if l.Off() {
		return "off"
	}
	l = l.withDefault()
	return fmt.Sprintf("%g/s, burst %d", l.PerSecond, l.Burst)
}

// Check reports what is wrong with the limit.
func (l Limit) Check() error {
	if l.Off() {
		return nil
	}
	if !(l.PerSecond > 0 && l.PerSecond <= maxPerSecond) || l.Burst < 0 || l.Burst > maxBurst || // NaN is neither
		float64(l.withDefault().Burst)/l.PerSecond > longest.Seconds() {
		return errors.New("rate limit: rate and burst must be positive and sane")
	}
	return nil
}

const (
	maxPerSecond = 1e6
	maxBurst     = 1e6
	longest      = 10 * 365 * 24 * time.Hour // that an empty bucket takes to be full
)

func (l Limit) withDefault() Limit {
	if l.Burst == 0 {
		l.Burst = max(1, int(l.PerSecond))
	}
	return l
}

// Limiter holds a bucket for each key that was seen lately. Safe for concurrent
// use; taking waits for no lock.
//
// It keeps at most so many buckets. Where more keys come than there is room for,
// those that come seldom are forgotten, and start full again: a flood of new
// keys does not push out one that comes often.
type Limiter[K comparable] struct {
	begin   time.Time
	each    int64 // nanoseconds until one more is in the bucket
	depth   int64 // of a full bucket
	buckets *otter.Cache[K, *bucket]
}

// bucket is when the bucket will be full again, in nanoseconds since the
// limiter was made: the generic cell rate algorithm, ITU-T I.371.
type bucket struct{ full atomic.Int64 }

// New returns a limiter with room for entries keys. The limit is not off.
func New[K comparable](limit Limit, entries int) (*Limiter[K], error) {
	if err := limit.Check(); err != nil || limit.Off() || entries < 1 {
		return nil, errors.Join(errors.New("rate limiter: no limit, or no room"), err)
	}
	limit = limit.withDefault()
	buckets, err := otter.New(&otter.Options[K, *bucket]{MaximumSize: entries})
	if err != nil {
		return nil, fmt.Errorf("rate limiter: %w", err)
	}
	each := int64(math.Round(float64(time.Second) / limit.PerSecond))
	return &Limiter[K]{begin: time.Now(), each: each, depth: each * int64(limit.Burst), buckets: buckets}, nil
}

// Take takes one from the bucket of key. If it is empty, ok is false, nothing is
// taken, and wait is how long until there is one. Where now goes back, the wait
// is that much longer.
func (l *Limiter[K]) Take(key K, now time.Time) (wait time.Duration, ok bool) {
	at := int64(now.Sub(l.begin))
	b, found := l.buckets.GetIfPresent(key)
	if !found {
		fresh := &bucket{}
		fresh.full.Store(at)
		// Of two that come first at once, one bucket stays.
		b, _ = l.buckets.SetIfAbsent(key, fresh)
	}
	for {
		full := b.full.Load()
		next := max(full, at) + l.each
		if missing := next - at - l.depth; missing > 0 {
			return time.Duration(missing), false
		}
		if b.full.CompareAndSwap(full, next) {
			return 0, true
		}
	}
}

// Len is about how many buckets there are.
func (l *Limiter[K]) Len() int { return l.buckets.EstimatedSize() }
