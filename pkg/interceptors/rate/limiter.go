// Package rate limits how often something may happen, separately for each key
// and in bounded memory.
package rate

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// Limit is a token bucket: PerSecond on average, Burst at once. The zero Limit
// limits nothing.
type Limit struct {
	// PerSecond is how many tokens are added per second, at most 1e6.
	PerSecond float64
	// Burst is the size of the bucket, at most 1e6. Default: PerSecond, but at
	// least 1.
	Burst int
}

// Off reports whether l limits nothing.
func (l Limit) Off() bool { return l == (Limit{}) }

// String returns the limit for --check: "20/s, burst 20" or "off".
func (l Limit) String() string {
	if l.Off() {
		return "off"
	}
	l = l.withDefault()
	return fmt.Sprintf("%g/s, burst %d", l.PerSecond, l.Burst)
}

// Check returns an error if a field is negative, out of range, not a number, or
// so that an empty bucket would need more than ten years to fill.
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

// Limiter has a bucket for each key that was seen lately. It is safe for
// concurrent use and takes no lock.
//
// The number of buckets is bounded. If there are more keys than room, those
// that come rarely are forgotten and start with a full bucket again. A flood of
// new keys does not push out a key that comes often.
type Limiter[K comparable] struct {
	begin   time.Time
	each    int64 // nanoseconds until one more is in the bucket
	depth   int64 // of a full bucket
	buckets *otter.Cache[K, *bucket]
}

// bucket is when the bucket will be full again, in nanoseconds since the
// limiter was made: the generic cell rate algorithm, ITU-T I.371.
type bucket struct{ full atomic.Int64 }

// New returns a limiter that remembers at most entries keys. It fails if limit
// is off or invalid, or if entries is not positive.
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

// Take takes one token from the bucket of key. If there is none, ok is false,
// nothing is taken, and wait is the time until there is one. If now is before
// an earlier now, wait is longer by the difference.
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

// Len returns about how many keys are remembered.
func (l *Limiter[K]) Len() int { return l.buckets.EstimatedSize() }
