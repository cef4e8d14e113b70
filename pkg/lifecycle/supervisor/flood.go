package supervisor

import "time"

const (
	// floodRate and floodBurst bound what one generation of a child may add to
	// the log: 1 MiB/s after the first 8 MiB. Above it lines are dropped and
	// counted: blocking the child instead would let its log stop its work.
	floodRate  = 1 << 20
	floodBurst = 8 << 20
	// lineOverhead is charged for a line beside its length, so that empty lines
	// are not free.
	lineOverhead = 256
)

// flood is a token bucket over the bytes that a child logs.
type flood struct {
	rate, burst float64
	tokens      float64
	last        time.Time
	// lines and bytes are what was dropped since the last take.
	lines, bytes int64
}

func newFlood(rate, burst float64) *flood {
	return &flood{rate: rate, burst: burst, tokens: burst}
}

// admit tells whether a line of n bytes may be logged now, and counts it if not.
func (f *flood) admit(n int, now time.Time) bool {
	if !f.last.IsZero() {
		f.tokens = min(f.burst, f.tokens+f.rate*max(0, now.Sub(f.last).Seconds()))
	}
	f.last = now
	if cost := float64(n + lineOverhead); cost <= f.tokens {
		f.tokens -= cost
		return true
	}
	f.lines++
	f.bytes += int64(n)
	return false
}

// take returns what was dropped since it was last called.
func (f *flood) take() (lines, bytes int64) {
	lines, bytes = f.lines, f.bytes
	f.lines, f.bytes = 0, 0
	return lines, bytes
}
