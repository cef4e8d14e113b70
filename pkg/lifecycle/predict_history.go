package lifecycle

import (
	"math"
	"time"
)

const (
	// rateSamples are what a rate is measured over: the last minute.
	rateSamples = 61
	// stallTime is how long nothing must have been completed, though there was work, before that is a rate as well.
	stallTime = 10 * time.Second
	// staleTime is after how long an answer of a part says nothing any more about now.
	staleTime = 10 * time.Second
)

// reading is what a part has said about itself at one time.
type reading struct {
	at        time.Time
	remaining int64
	completed uint64
	estimate  time.Duration
}

// history is the readings of one part, the oldest first, the last rateSamples of them.
type history struct{ readings []reading }

func (h *history) add(r reading) {
	r.remaining = max(0, r.remaining)
	if len(h.readings) == rateSamples {
		h.readings = append(h.readings[:0], h.readings[1:]...)
	}
	h.readings = append(h.readings, r)
}

// last returns the newest reading, if it is new enough to speak for now.
func (h *history) last(now time.Time) (reading, bool) {
	if len(h.readings) == 0 {
		return reading{}, false
	}
	r := h.readings[len(h.readings)-1]
	return r, now.Sub(r.at) <= staleTime
}

// rate returns how much the part completes per second when it has work, and for how long that was measured. An interval
// counts if there was work at both of its ends: an idle part completes nothing, which says nothing of its speed. A part
// that was never caught with work twice is measured by the intervals in which it completed something.
func (h *history) rate() (perSecond float64, measured time.Duration) {
	busy, spurts := tally{}, tally{}
	for i := 1; i < len(h.readings); i++ {
		a, b := h.readings[i-1], h.readings[i]
		if b.completed < a.completed || !b.at.After(a.at) {
			continue // it has begun to count anew
		}
		done, took := b.completed-a.completed, b.at.Sub(a.at)
		if a.remaining > 0 && b.remaining > 0 {
			busy.add(done, took)
		}
		if done > 0 {
			spurts.add(done, took)
		}
	}
	if busy.took > 0 {
		return busy.rate(), busy.took
	}
	return spurts.rate(), spurts.took
}

// tally is an amount of work and the time it took.
type tally struct {
	done float64
	took time.Duration
}

func (t *tally) add(done uint64, took time.Duration) {
	t.done += float64(done)
	t.took += took
}

func (t *tally) rate() float64 {
	if t.took <= 0 {
		return 0
	}
	return t.done / t.took.Seconds()
}

// predict says how long a part with this history needs. p has its name and unit.
func (h *history) predict(p *Part, now time.Time) PartPrediction {
	r := PartPrediction{Name: p.Name, Unit: p.Unit, Source: SourceUnknown, Remaining: -1}
	last, fresh := h.last(now)
	if !fresh {
		return r
	}
	if p.Remaining != nil {
		r.Remaining = last.remaining
	}
	if p.EstimateDrain != nil {
		r.Source, r.Need = SourceEstimate, min(max(0, last.estimate), maxNeed)
		return r
	}
	if p.Completed == nil || p.Remaining == nil {
		return r
	}
	rate, measured := h.rate()
	switch {
	case last.remaining == 0:
		r.Source, r.Rate = SourceRate, rate
	case rate > 0:
		r.Source, r.Rate = SourceRate, rate
		r.Need = ofSeconds(float64(last.remaining) / rate)
	case measured >= stallTime:
		// Less than one in all that time.
		r.Source = SourceRate
		r.Need = ofSeconds(float64(last.remaining) * measured.Seconds())
	}
	return r
}

// ofSeconds makes a duration, at most maxNeed.
func ofSeconds(s float64) time.Duration {
	if s >= maxNeed.Seconds() {
		return maxNeed
	}
	return time.Duration(math.Round(s * float64(time.Second)))
}
