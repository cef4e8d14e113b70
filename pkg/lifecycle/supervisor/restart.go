package supervisor

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// RestartPolicy says when a child that ended by itself is started again. The
// zero value is the default: always, after 100 ms to 10 s, unless children end
// more than 5 times per slot within a minute.
type RestartPolicy struct {
	// Never leaves a slot stopped when its child ends, whatever the reason.
	// The group goes on; [Spec.OnExit] tells what happened.
	Never bool
	// Min is the wait before the first restart in a row; default 100 ms. It
	// doubles with each further one. The actual wait is chosen at random
	// between a half of it and all of it, so that children which died together
	// don't come back together.
	Min time.Duration
	// Max bounds the wait; default 10 s. A child that was ready for longer than
	// Max begins again at Min.
	Max time.Duration
	// Intensity is how many restarts of all slots together are allowed within
	// Period; default 5 for each slot. One more stops the group with
	// [ErrIntensity], as a supervisor of Erlang/OTP does, so that the platform
	// sees that restarting doesn't help. Negative means no limit.
	Intensity int
	// Period is the sliding window of Intensity; default 1 minute.
	Period time.Duration
}

// complete fills in the defaults for a number of slots.
func (p RestartPolicy) complete(slots int) (RestartPolicy, error) {
	if p.Min < 0 || p.Max < 0 || p.Period < 0 {
		return p, errors.New("restart policy: negative time")
	}
	if p.Min == 0 {
		p.Min = 100 * time.Millisecond
	}
	if p.Max == 0 {
		p.Max = max(p.Min, 10*time.Second)
	}
	if p.Max < p.Min {
		return p, errors.New("restart policy: max is below min")
	}
	if p.Intensity == 0 {
		p.Intensity = 5 * slots
	}
	if p.Period == 0 {
		p.Period = time.Minute
	}
	return p, nil
}

// backoff returns the wait before restart number n in a row, from 0; random is
// in [0, 1).
func (p RestartPolicy) backoff(n int, random float64) time.Duration {
	wait := p.Min
	for range n {
		if wait >= p.Max/2 {
			wait = p.Max
			break
		}
		wait *= 2
	}
	return wait/2 + time.Duration(random*float64(wait-wait/2))
}

// jitter is the randomness of backoff. It spreads load and protects nothing.
func jitter() float64 { return rand.Float64() } //nolint:gosec // no secret depends on it

// intensity counts restarts in a sliding window.
type intensity struct {
	limit  int
	period time.Duration
	starts []time.Time
}

// allow records a restart and reports whether it is within the limit.
func (i *intensity) allow(now time.Time) bool {
	if i.limit < 0 {
		return true
	}
	i.starts = slices.DeleteFunc(i.starts, func(t time.Time) bool { return now.Sub(t) >= i.period })
	i.starts = append(i.starts, now)
	return len(i.starts) <= i.limit
}
