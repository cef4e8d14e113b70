package lifecycle

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	// sampleEvery is how often the parts are asked.
	sampleEvery = time.Second
	// windowSamples are what P50 and P99 are of: the last five minutes.
	windowSamples = 300
	// leastSamples are what a warning needs.
	leastSamples = 10
	// warnEvery is how often a warning is repeated at most.
	warnEvery = 10 * time.Minute
)

// verdict is one sample of the window.
type verdict struct {
	need  time.Duration
	worst culprit
}

// window is the last windowSamples verdicts.
type window struct {
	verdicts []verdict
	next     int // which to replace once it is full
}

func (w *window) add(v verdict) {
	if len(w.verdicts) < windowSamples {
		w.verdicts = append(w.verdicts, v)
		return
	}
	w.verdicts[w.next] = v
	w.next = (w.next + 1) % windowSamples
}

// judge adds p to the window and fills in what the window knows.
func (w *window) judge(p *Prediction) {
	w.add(verdict{need: p.Need, worst: p.worst})
	p.Samples = len(w.verdicts)
	sorted := slices.Clone(w.verdicts)
	slices.SortFunc(sorted, func(a, b verdict) int { return cmp.Compare(a.need, b.need) })
	p.P50, p.P99 = sorted[rank(0.5, len(sorted))].need, sorted[rank(0.99, len(sorted))].need
	// A phase with a limit of its own can lose work in a stop that is short in all.
	slices.SortStableFunc(sorted, func(a, b verdict) int {
		switch {
		case a.worst.cut == b.worst.cut:
			return 0
		case b.worst.cut:
			return -1
		default:
			return 1
		}
	})
	p.rare = sorted[rank(0.99, len(sorted))].worst
}

// rank is the index of a quantile in n sorted values, by the nearest-rank method.
func rank(q float64, n int) int {
	return min(n-1, max(0, int(math.Ceil(q*float64(n)))-1))
}

// alarm decides when to speak. It begins when 1 stop in 100 would lose work and ends when P99 is clear of the limit by a
// tenth, so that a value near the limit does not flap; and it speaks at most once in warnEvery.
type alarm struct {
	on   bool
	told bool      // of this alarm
	last time.Time // of the last warning
}

// note reports whether to warn now, or to say that it is over.
func (a *alarm) note(p Prediction) (warn, over bool) {
	switch {
	case p.Samples < leastSamples:
		return false, false
	case p.rare.cut:
		a.on = true
	case a.on && p.P99 <= p.Window-p.Window/10:
		over = a.told
		*a = alarm{last: a.last}
		return false, over
	}
	if !p.rare.cut || !a.last.IsZero() && p.At.Sub(a.last) < warnEvery {
		return false, false
	}
	a.told, a.last = true, p.At
	return true, false
}
