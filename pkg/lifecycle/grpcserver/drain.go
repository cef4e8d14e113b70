package grpcserver

import (
	"sync"
	"time"
)

// maxOpen bounds the instants whose calls have not all ended: an hour of them, one a second.
const maxOpen = 3600

// drains measures, while the server works, how long a stop would have waited for its calls: a drain that began at some
// instant would have been over when the last call of that instant had ended.
type drains struct {
	mu   sync.Mutex
	open []time.Time   // instants some of whose calls still run, the oldest first
	last time.Duration // what the newest of the others took
}

// note takes note of the oldest call in flight, if there is one, and returns how long a drain would take now: as long as
// the last that was measured, or as the longest that is not over yet. It is as exact as it is called often.
func (d *drains) note(now, oldest time.Time, busy bool) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	over := 0
	for over < len(d.open) && (!busy || d.open[over].Before(oldest)) {
		d.last = now.Sub(d.open[over])
		over++
	}
	d.open = append(d.open[:0], d.open[over:]...)
	if !busy {
		d.last = 0
		return 0
	}
	if len(d.open) < maxOpen {
		d.open = append(d.open, now)
	}
	return max(d.last, now.Sub(d.open[0]))
}

// EstimateDrain returns how long the calls in flight would take to end, as those of the last seconds did. It counts
// unary calls only: a stream is told to end, and lasts as long as its client likes until then. Zero if there are none.
func (t *Tracker) EstimateDrain() time.Duration {
	var oldest time.Time
	busy := false
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for c := range s.calls {
			if !c.stream && (!busy || c.since.Before(oldest)) {
				oldest, busy = c.since, true
			}
		}
		s.mu.Unlock()
	}
	return t.drains.note(time.Now(), oldest, busy)
}
