package lifecycle

import (
	"math"
	"strings"
	"testing"
	"time"
)

// shop is the plan of the examples: 30 s of grace, of which 28 s are for the phases, and 1 s of propagation.
func shop(t *testing.T, opts ...Option) Plan {
	t.Helper()
	g, err := New(append([]Option{WithGrace(30 * time.Second), WithPropagation(time.Second)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return g.Plan()
}

// consumer is a part of Drain with work at a rate.
func consumer(name string, remaining int64, perSecond float64) PartPrediction {
	return PartPrediction{
		Name: name, Unit: "uncommitted", Source: SourceRate, Remaining: remaining, Rate: perSecond,
		Need: ofSeconds(float64(remaining) / perSecond),
	}
}

func needs(name string, d time.Duration) PartPrediction {
	return PartPrediction{Name: name, Source: SourceEstimate, Need: d}
}

func TestAPredictionIsTheSumOfPhasesAndTheLongestPartOfEach(t *testing.T) {
	type parts = map[Phase][]PartPrediction
	const s = time.Second
	for name, c := range map[string]struct {
		opts        []Option
		parts       parts
		need, takes time.Duration
		says        string
	}{
		"nothing to do but to announce": {nil, nil, s, s, "this stop would now take 1 s, the grace is 30 s"},
		"the example: 3,000 at 75/s": {
			nil,
			parts{Drain: {consumer("orders-consumer", 3000, 75)}},
			41 * s, 21500 * time.Millisecond,
			"this stop would now take 41 s, the grace is 30 s: orders-consumer has 3,000 uncommitted at 75/s; drain would be cut off after 20.5 s with 1,463 left",
		},
		"parts of a phase are parallel, phases are not": {
			nil,
			parts{Drain: {consumer("a", 100, 50), consumer("b", 300, 50), needs("c", 4*s)}, Commit: {needs("d", 3*s)}, Close: {needs("e", s), needs("f", 2*s)}},
			12 * s, 12 * s, "this stop would now take 12 s, the grace is 30 s",
		},
		"the limit of a phase loses work in a stop that is short in all": {
			nil,
			parts{Commit: {consumer("sink", 600, 50)}},
			13 * s, 6 * s,
			"this stop would now take 13 s, the grace is 30 s: sink has 600 uncommitted at 50/s; commit would be cut off after 5 s with 350 left",
		},
		"a part's own wait is no longer than the announcement": {
			nil, parts{Announce: {needs("balancer", 500*time.Millisecond)}}, s, s, "this stop would now take 1 s, the grace is 30 s",
		},
		"a phase that takes long takes from the next, not its floor": {
			[]Option{WithBudget(Commit, 2*s, 0)},
			parts{Drain: {consumer("orders-consumer", 3000, 75)}, Commit: {needs("sink", 3*s)}},
			44 * s, 24 * s,
			"this stop would now take 44 s, the grace is 30 s: orders-consumer has 3,000 uncommitted at 75/s; drain would be cut off after 21 s with 1,425 left",
		},
		"nothing completed": {
			nil,
			parts{Drain: {{Name: "stuck", Source: SourceRate, Remaining: 2, Need: 2 * time.Hour}}},
			2*time.Hour + s, 21500 * time.Millisecond,
			"this stop would now take 7,201 s, the grace is 30 s: stuck has 2 remaining and completes none; drain would be cut off after 20.5 s",
		},
		"an estimate without a number": {
			nil,
			parts{Leave: {needs("group", 10*s)}},
			11 * s, 4 * s,
			"this stop would now take 11 s, the grace is 30 s: group needs 10 s; leave would be cut off after 3 s",
		},
		"sums stay in range": {
			nil,
			parts{Drain: {needs("a", maxNeed)}, Commit: {needs("b", maxNeed)}},
			maxNeed, 24 * s,
			"this stop would now take 604,800 s, the grace is 30 s: b needs 604,800 s; commit would be cut off after 2.5 s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var list [phaseCount][]PartPrediction
			for ph, parts := range c.parts {
				list[ph-1] = parts
			}
			p := shop(t, c.opts...).predict(list)
			p.At = time.Unix(1, 0)
			if p.Need != c.need || p.Takes != c.takes || p.Takes > p.Window || p.String() != c.says {
				t.Errorf("need %v, takes %v of %v: %s\nnot need %v, takes %v: %s", p.Need, p.Takes, p.Window, p, c.need, c.takes, c.says)
			}
			if enough := p.Need == p.Takes; p.Enough() != enough {
				t.Errorf("enough: %v", p.Enough())
			}
		})
	}
}

// at makes readings of (remaining, completed), a second apart.
func at(pairs ...[2]int64) *history {
	h := &history{}
	for i, p := range pairs {
		h.add(reading{at: time.Unix(int64(1000+i), 0), remaining: p[0], completed: uint64(p[1])}) //nolint:gosec // a test
	}
	return h
}

func TestTheRateIsThatOfTimesWithWork(t *testing.T) {
	part := &Part{Name: "p", Remaining: func() int64 { return 0 }, Completed: func() uint64 { return 0 }}
	stalled := make([][2]int64, 12)
	for i := range stalled {
		stalled[i] = [2]int64{4, 7}
	}
	for name, c := range map[string]struct {
		h    *history
		rate float64
		need time.Duration
		from Source
	}{
		"steady":                              {at([2]int64{300, 0}, [2]int64{300, 75}, [2]int64{300, 150}), 75, 4 * time.Second, SourceRate},
		"idle in between":                     {at([2]int64{100, 0}, [2]int64{50, 50}, [2]int64{0, 100}, [2]int64{0, 100}, [2]int64{0, 100}, [2]int64{10, 100}), 50, 200 * time.Millisecond, SourceRate},
		"never caught with work twice":        {at([2]int64{0, 0}, [2]int64{2, 4}, [2]int64{0, 8}, [2]int64{2, 12}), 4, 500 * time.Millisecond, SourceRate},
		"nothing left":                        {at([2]int64{5, 0}, [2]int64{5, 5}, [2]int64{0, 10}), 5, 0, SourceRate},
		"one reading says no rate":            {at([2]int64{5, 100}), 0, 0, SourceUnknown},
		"a counter that begins anew":          {at([2]int64{5, 100}, [2]int64{5, 0}, [2]int64{5, 10}), 10, 500 * time.Millisecond, SourceRate},
		"a negative number is nothing":        {at([2]int64{5, 0}, [2]int64{5, 5}, [2]int64{-3, 10}), 5, 0, SourceRate},
		"nothing completed for a short while": {at(stalled[:5]...), 0, 0, SourceUnknown},
		"nothing completed for 11 s":          {at(stalled...), 0, 44 * time.Second, SourceRate},
	} {
		t.Run(name, func(t *testing.T) {
			now := c.h.readings[len(c.h.readings)-1].at
			p := c.h.predict(part, now)
			if p.Source != c.from || p.Need != c.need || math.Abs(p.Rate-c.rate) > 1e-9 {
				t.Errorf("got %+v", p)
			}
			if late := c.h.predict(part, now.Add(staleTime+1)); late.Source != SourceUnknown || late.Need != 0 {
				t.Errorf("of a part that is silent since: %+v", late)
			}
		})
	}
}

func TestTheRateForgetsWhatIsOlderThanAMinute(t *testing.T) {
	h := &history{}
	completed := uint64(0)
	for i := range 200 {
		h.add(reading{at: time.Unix(int64(i), 0), remaining: 100, completed: completed})
		completed += 1000
		if i >= 100 {
			completed -= 990
		}
	}
	if rate, measured := h.rate(); rate != 10 || measured != time.Minute {
		t.Errorf("%v/s over %v", rate, measured)
	}
}

func TestTheOwnEstimateOfAPartComesFirst(t *testing.T) {
	h := &history{}
	part := &Part{
		Name: "p", Unit: "things", Remaining: func() int64 { return 0 }, Completed: func() uint64 { return 0 },
		EstimateDrain: func() time.Duration { return 0 },
	}
	for i := range 5 {
		h.add(reading{at: time.Unix(int64(i), 0), remaining: 100, completed: uint64(i), estimate: 3 * time.Second}) //nolint:gosec // a test
	}
	p := h.predict(part, time.Unix(5, 0))
	if p.Source != SourceEstimate || p.Need != 3*time.Second || p.load() != "has 100 things and needs 3 s" {
		t.Errorf("%+v: %s", p, p.load())
	}
	h.add(reading{at: time.Unix(5, 0), estimate: -time.Hour})
	if p := h.predict(part, time.Unix(5, 0)); p.Need != 0 {
		t.Errorf("a negative estimate gave %v", p.Need)
	}
}

func TestQuantilesAreOfTheLastFiveMinutes(t *testing.T) {
	var w window
	plan := shop(t)
	judge := func(drain time.Duration) Prediction {
		p := plan.predict([phaseCount][]PartPrediction{Drain - 1: {needs("p", drain)}})
		p.At = time.Unix(1, 0)
		w.judge(&p)
		return p
	}
	for i := range 100 {
		if p := judge(time.Duration(i+1) * 100 * time.Millisecond); p.Samples != i+1 {
			t.Fatalf("%d samples", p.Samples)
		}
	}
	p := judge(5050 * time.Millisecond)
	if p.P50 != 6050*time.Millisecond || p.P99 != 10900*time.Millisecond { // beside 1 s of announcement
		t.Errorf("p50 %v, p99 %v", p.P50, p.P99)
	}
	judge(60 * time.Second)
	judge(50 * time.Second)
	p = judge(time.Second)
	if p.Enough() || !strings.Contains(p.String(), "this stop would now take 2 s, but 1 in 100 would take 51 s, the grace is 30 s: p needs 50 s") {
		t.Errorf("two in a hundred and four: %s", p)
	}
	for range windowSamples {
		p = judge(time.Second)
	}
	if p.P50 != 2*time.Second || p.P99 != 2*time.Second || p.Samples != windowSamples || !p.Enough() {
		t.Errorf("it is not forgotten: %+v", p)
	}
}

func TestTheWarningSpeaksOnceAndDoesNotFlap(t *testing.T) {
	var a alarm
	now := time.Unix(0, 0)
	say := func(samples int, cut bool, p99 time.Duration) string {
		now = now.Add(time.Second)
		switch warn, over := a.note(Prediction{At: now, Samples: samples, Window: 28 * time.Second, P99: p99, rare: culprit{cut: cut}}); {
		case warn && over:
			return "both"
		case warn:
			return "warn"
		case over:
			return "over"
		}
		return ""
	}
	for i, step := range []struct {
		samples int
		cut     bool
		p99     time.Duration
		wait    time.Duration
		want    string
	}{
		{9, true, 40 * time.Second, 0, ""}, // not enough is known yet
		{10, true, 40 * time.Second, 0, "warn"},
		{11, true, 41 * time.Second, 0, ""},
		{12, false, 27 * time.Second, 0, ""}, // near the limit
		{13, true, 29 * time.Second, 0, ""},
		{13, true, 29 * time.Second, 10 * time.Minute, "warn"},
		{14, false, 26 * time.Second, 0, ""},
		{15, false, 25 * time.Second, 0, "over"},
		{15, false, 25 * time.Second, 0, ""},
		{16, true, 40 * time.Second, 0, ""},  // too soon to warn again
		{17, false, 20 * time.Second, 0, ""}, // and nothing was said that were over now
		{18, true, 40 * time.Second, 10 * time.Minute, "warn"},
	} {
		now = now.Add(step.wait)
		if got := say(step.samples, step.cut, step.p99); got != step.want {
			t.Errorf("step %d: %q, not %q", i, got, step.want)
		}
	}
}

func TestNumbersAreSaidAsPeopleSayThem(t *testing.T) {
	for got, want := range map[string]string{
		thousands(0): "0", thousands(999): "999", thousands(3000): "3,000", thousands(-1234567): "-1,234,567", thousands(-123): "-123",
		thousands(math.MaxInt64): "9,223,372,036,854,775,807",
		seconds(0):               "0 s", seconds(40 * time.Millisecond): "0.1 s", seconds(4200 * time.Millisecond): "4.2 s",
		seconds(30001 * time.Millisecond): "31 s", seconds(41 * time.Second): "41 s",
		perSecond(75): "75", perSecond(0.25): "0.25", perSecond(12000.4): "12,000", perSecond(math.Inf(1)): "4,611,686,018,427,387,904",
	} {
		if got != want {
			t.Errorf("got %q, not %q", got, want)
		}
	}
	if s := (Prediction{}).String(); s != "nothing is known yet of how long a stop would take" {
		t.Error(s)
	}
}
