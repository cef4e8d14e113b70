// Package lag says how far behind a partition is, as people count: not only in records, but since when there is something
// that is not stored yet, and for how long nothing has moved. Kafka tells the end of a partition and not when it was
// there, so the history of the ends is kept, as far as it is above the position.
package lag

import (
	"sync"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// most bounds the history of a partition: beyond it every second sample is forgotten, and what is left is less precise.
const most = 256

// Figures are how far behind a partition is.
type Figures struct {
	// Records above the position.
	Records int64
	// Behind is for how long there has been a record above the position; 0 if there is none. It is as precise as the
	// ends are sampled often.
	Behind time.Duration
	// Still is for how long the position has not moved although there was something above it.
	Still time.Duration
}

// History remembers ends and positions. The zero value is ready; it is safe for concurrent use.
type History struct {
	mu         sync.Mutex
	partitions map[ledger.Key]*partition
}

type sample struct {
	at  time.Time
	end int64
}

type partition struct {
	ends  []sample // above the position, oldest first
	next  int64
	moved time.Time // or had nothing above it
}

// Sample notes where a partition stands: next is its position, records what is above it.
func (h *History) Sample(key ledger.Key, now time.Time, next, records int64) Figures {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.partitions == nil {
		h.partitions = map[ledger.Key]*partition{}
	}
	p := h.partitions[key]
	if p == nil {
		p = &partition{next: next, moved: now}
		h.partitions[key] = p
	}
	if next != p.next || records <= 0 {
		p.next, p.moved = next, now
	}
	if records <= 0 {
		p.ends = p.ends[:0]
		return Figures{}
	}
	end := next + records
	for len(p.ends) > 0 && (p.ends[0].end <= next || p.ends[0].end > end) {
		p.ends = p.ends[1:] // stored by now, or of a log that was cut
	}
	if n := len(p.ends); n == 0 || p.ends[n-1].end != end {
		p.ends = append(p.ends, sample{now, end})
	}
	if len(p.ends) > most {
		p.thin()
	}
	return Figures{Records: records, Behind: now.Sub(p.ends[0].at), Still: now.Sub(p.moved)}
}

// thin keeps the first sample, which is the one that counts, and every second other.
func (p *partition) thin() {
	kept := make([]sample, 0, most)
	for i, s := range p.ends {
		if i == 0 || i%2 == 1 {
			kept = append(kept, s)
		}
	}
	p.ends = kept
}
