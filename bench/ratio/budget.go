package ratio

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// Budget is a time that was measured again and again, and what it should not
// exceed.
type Budget struct {
	Name    string
	Goal    time.Duration
	Samples []time.Duration
}

// Title is the name.
func (b Budget) Title() string { return b.Name }

// Quantile returns the smallest sample that at least the share q of all does
// not exceed; 0 without samples.
func (b Budget) Quantile(q float64) time.Duration {
	if len(b.Samples) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(b.Samples))
	i := int(q * float64(len(s)))
	if float64(i) == q*float64(len(s)) {
		i--
	}
	return s[min(max(i, 0), len(s)-1)]
}

// Met tells whether p99 is within the goal.
func (b Budget) Met() bool { return len(b.Samples) > 0 && b.Quantile(0.99) <= b.Goal }

// Print writes the result as two lines.
func (b Budget) Print(w io.Writer) {
	if len(b.Samples) == 0 {
		return
	}
	verdict := "met"
	if !b.Met() {
		verdict = "missed"
	}
	p99 := b.Quantile(0.99)
	fmt.Fprintf(w, "%s\n  p50 %v, p99 %v, most %v of %d; p99 is %.3f of the goal, %v: %s\n", b.Name,
		round(b.Quantile(0.5)), round(p99), round(b.Quantile(1)), len(b.Samples), p99.Seconds()/b.Goal.Seconds(), b.Goal, verdict)
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
