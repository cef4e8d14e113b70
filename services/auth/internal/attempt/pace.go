package attempt

import (
	"time"

	"github.com/maypok86/otter/v2"
)

// burstSeconds is how long an address may have saved up its rate.
const burstSeconds = 10

// bucket is what is left of an address's burst, as of at.
type bucket struct {
	left float64
	at   time.Time
}

// Pace bounds how often one network address does something that costs much: a
// token bucket per address. It is safe for concurrent use.
type Pace struct {
	perSecond float64
	now       func() time.Time
	buckets   *otter.Cache[key, bucket]
}

// NewPace returns a Pace of so many times per second, after a burst of ten
// times as many. 0 is no limit.
func NewPace(perSecond float64, now func() time.Time) *Pace {
	return &Pace{perSecond: perSecond, now: now, buckets: otter.Must(&otter.Options[key, bucket]{
		MaximumSize: maxEntries,
		// A bucket that was left alone until it is full again is as a new one.
		ExpiryCalculator: otter.ExpiryWriting[key, bucket](refill(perSecond)),
	})}
}

// refill is how long an empty bucket takes to be full.
func refill(perSecond float64) time.Duration {
	if perSecond <= 0 {
		return time.Second
	}
	return time.Duration(max(burstSeconds, 1/perSecond) * float64(time.Second))
}

// Take counts one time from address and returns 0, or says how long to wait for
// the next one and counts nothing.
func (p *Pace) Take(address string) (wait time.Duration) {
	if p.perSecond == 0 {
		return 0
	}
	now, full := p.now(), max(1, p.perSecond*burstSeconds)
	p.buckets.Compute(single(address), func(b bucket, found bool) (bucket, otter.ComputeOp) {
		wait = 0
		if !found {
			b = bucket{left: full, at: now}
		}
		b.left = min(full, b.left+max(now.Sub(b.at), 0).Seconds()*p.perSecond)
		b.at = now
		if b.left < 1 {
			wait = time.Duration((1 - b.left) / p.perSecond * float64(time.Second))
			return b, otter.WriteOp
		}
		b.left--
		return b, otter.WriteOp
	})
	return wait
}
