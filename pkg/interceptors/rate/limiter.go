// Package rate limits how often something happens, for each of many keys, in
// bounded memory.
package rate

import (
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
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
	if !l.Off() && (l.PerSecond <= 0 || l.Burst < 0 || l.PerSecond > maxPerSecond || l.Burst > maxBurst) {
		return errors.New("rate limit: rate and burst must be positive and sane")
	}
	return nil
}

const (
	maxPerSecond = 1e6
	maxBurst     = 1e6
)

func (l Limit) withDefault() Limit {
	if l.Burst == 0 {
		l.Burst = max(1, int(l.PerSecond))
	}
	return l
}

// Limiter holds a bucket for each key that was seen lately. Safe for concurrent
// use.
//
// It keeps at most so many buckets. Where more keys come than there is room for,
// those that come seldom are forgotten, and start full again: a flood of new
// keys does not push out one that comes often.
type Limiter[K comparable] struct {
	limit   Limit
	buckets *otter.Cache[K, *rate.Limiter]
}

// New returns a limiter with room for entries keys. The limit is not off.
func New[K comparable](limit Limit, entries int) (*Limiter[K], error) {
	if err := limit.Check(); err != nil || limit.Off() || entries < 1 {
		return nil, errors.Join(errors.New("rate limiter: no limit, or no room"), err)
	}
	limit = limit.withDefault()
	buckets, err := otter.New(&otter.Options[K, *rate.Limiter]{MaximumSize: entries})
	if err != nil {
		return nil, fmt.Errorf("rate limiter: %w", err)
	}
	return &Limiter[K]{limit: limit, buckets: buckets}, nil
}

// Take takes one from the bucket of key. If it is empty, ok is false, nothing is
// taken, and wait is how long until there is one.
func (l *Limiter[K]) Take(key K, now time.Time) (wait time.Duration, ok bool) {
	bucket, found := l.buckets.GetIfPresent(key)
	if !found {
		// Of two that come first at once, one bucket stays.
		bucket, _ = l.buckets.SetIfAbsent(key, rate.NewLimiter(rate.Limit(l.limit.PerSecond), l.limit.Burst))
	}
	if bucket.AllowN(now, 1) {
		return 0, true
	}
	missing := max(1-bucket.TokensAt(now), 0)
	return time.Duration(missing / l.limit.PerSecond * float64(time.Second)), false
}

// Len is about how many buckets there are.
func (l *Limiter[K]) Len() int { return l.buckets.EstimatedSize() }
