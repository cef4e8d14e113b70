package lifecycle

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Prediction says how long a stop would take if it began now. It answers before the deploy what a report can only say
// after it: whether the grace is long enough for the work that is there.
//
// Need is what the parts would use if no phase had a limit; Takes is what the stop would use, since each phase is cut
// off at its deadline. Where Need is above Takes, work would be lost.
type Prediction struct {
	At      time.Time // of the last sample; the zero time before the first
	Samples int       // in the window of P50 and P99
	Grace   time.Duration
	Window  time.Duration // D - T0 = grace - pre-stop - reserve
	Need    time.Duration
	Takes   time.Duration
	P50     time.Duration // of Need, over the window of samples
	P99     time.Duration
	Phases  []PhasePrediction // all six, in their order

	worst, rare culprit // of now, and of the sample at P99
}

// PhasePrediction is one phase of a [Prediction]. Need is the longest of its parts, which stop in parallel.
type PhasePrediction struct {
	Phase Phase
	Need  time.Duration
	Limit time.Duration // what the phase would get
	Parts []PartPrediction
}

// Cut reports whether the phase would be over before its parts are.
func (p PhasePrediction) Cut() bool { return p.Need > p.Limit }

// Source says how the time that a part needs is known.
type Source string

// The sources, the best first.
const (
	SourceEstimate Source = "estimate" // the part's own EstimateDrain
	SourceRate     Source = "rate"     // Remaining divided by the rate at which Completed grows
	SourceMeasured Source = "measured" // what the last part of this name took when it was removed
	SourceUnknown  Source = "unknown"  // counts as 0
)

// PartPrediction is one part of a [Prediction].
type PartPrediction struct {
	Name      string
	Unit      string // of Remaining
	Source    Source
	Need      time.Duration
	Remaining int64   // -1 if the part does not say
	Rate      float64 // completed per second while there was work; 0 if unknown, or if nothing was completed
	Left      int64   // how much of Remaining the end of the phase would cut off, if the rate is known
}

// culprit is the part that makes a stop too long.
type culprit struct {
	cut   bool // its phase would be over before it is
	phase Phase
	limit time.Duration
	part  PartPrediction
}

// predict adds up what the parts of each phase need: parts are parallel, phases come one after the other, and each is cut
// off at the deadline that the plan would give it then.
func (p Plan) predict(parts [phaseCount][]PartPrediction) Prediction {
	var begin time.Time // any instant will do
	r := Prediction{Grace: p.Grace, Window: p.Window()}
	now, d := begin, begin.Add(p.Window())
	excess := time.Duration(math.MinInt64)
	for i, ph := range phases {
		phase := PhasePrediction{Phase: ph, Limit: p.deadline(ph, now, d).Sub(now), Parts: parts[i]}
		if ph == Announce {
			phase.Need = p.announceWait()
		}
		longest := -1
		for j, part := range phase.Parts {
			if longest < 0 || part.Need > phase.Parts[longest].Need {
				longest = j
			}
			phase.Need = max(phase.Need, part.Need)
			if part.Need > phase.Limit && part.Rate > 0 {
				phase.Parts[j].Left = max(1, part.Remaining-int64(part.Rate*phase.Limit.Seconds()))
			}
		}
		if over := phase.Need - phase.Limit; longest >= 0 && over > excess {
			excess = over
			r.worst = culprit{cut: phase.Cut(), phase: ph, limit: phase.Limit, part: phase.Parts[longest]}
		}
		r.Need = min(r.Need+phase.Need, maxNeed)
		used := min(phase.Need, phase.Limit)
		r.Takes += used
		now = now.Add(used)
		r.Phases = append(r.Phases, phase)
	}
	return r
}

// maxNeed keeps sums in range; nobody cares how many weeks a stop would take.
const maxNeed = maxGrace

// Enough reports whether the stop would end in time, nothing cut off: now, and in 99 of 100 samples of the window.
func (p Prediction) Enough() bool { return !p.worst.cut && !p.rare.cut }

// String says it in a sentence, for example
//
//	this stop would now take 41 s, the grace is 30 s: orders-consumer has 3,000 uncommitted at 75/s
func (p Prediction) String() string {
	if p.At.IsZero() {
		return "nothing is known yet of how long a stop would take"
	}
	var sb strings.Builder
	who := p.worst
	if !p.worst.cut && p.rare.cut {
		who = p.rare
		fmt.Fprintf(&sb, "this stop would now take %s, but 1 in 100 would take %s", seconds(p.Need), seconds(p.P99))
	} else {
		fmt.Fprintf(&sb, "this stop would now take %s", seconds(p.Need))
	}
	fmt.Fprintf(&sb, ", the grace is %s", seconds(p.Grace))
	if !who.cut {
		return sb.String()
	}
	fmt.Fprintf(&sb, ": %s %s; %v would be cut off after %s", who.part.Name, who.part.load(), who.phase, tenths(who.limit))
	if who.part.Left > 0 {
		fmt.Fprintf(&sb, " with %s left", thousands(who.part.Left))
	}
	return sb.String()
}

// load says what a part has to do.
func (p PartPrediction) load() string {
	unit := p.Unit
	if unit == "" {
		unit = "remaining"
	}
	switch {
	case p.Source == SourceRate && p.Rate > 0:
		return fmt.Sprintf("has %s %s at %s/s", thousands(p.Remaining), unit, perSecond(p.Rate))
	case p.Source == SourceRate:
		return fmt.Sprintf("has %s %s and completes none", thousands(p.Remaining), unit)
	case p.Remaining > 0:
		return fmt.Sprintf("has %s %s and needs %s", thousands(p.Remaining), unit, seconds(p.Need))
	default:
		return "needs " + seconds(p.Need)
	}
}

// seconds rounds up to what people say: 41 s, 4.2 s. A stop of 30.2 s does not fit into 30 s.
func seconds(d time.Duration) string {
	if d >= 10*time.Second {
		return thousands(int64(math.Ceil(d.Seconds()))) + " s"
	}
	return strconv.FormatFloat(math.Ceil(d.Seconds()*10)/10, 'f', -1, 64) + " s"
}

// tenths rounds down: what is promised is no longer than that.
func tenths(d time.Duration) string {
	return strconv.FormatFloat(math.Floor(d.Seconds()*10)/10, 'f', -1, 64) + " s"
}

// perSecond writes 75, 0.25 or 12,000.
func perSecond(rate float64) string {
	if rate >= 100 {
		return thousands(int64(math.Round(min(rate, math.MaxInt64/2))))
	}
	return strconv.FormatFloat(rate, 'g', 3, 64)
}

// thousands writes 3,000.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
