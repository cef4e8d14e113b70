package lifecycle

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// askTime is how long a sample waits for the answers of the parts. Later ones count for the next sample.
	askTime = 100 * time.Millisecond
	// maxMeasured bounds the names that are remembered of parts that were removed.
	maxMeasured = 256
)

// forecast watches the parts of a running group.
type forecast struct {
	mu        sync.Mutex
	histories map[*instance]*history
	measured  map[string]time.Duration // what Stop took, by the name of a part that was removed
	window    window
	alarm     alarm
	latest    Prediction
}

// Predict returns how long a stop would take now. It is made of samples of a group that has started, one a second; what
// is asked of the parts is said at [Part.Remaining], [Part.Completed] and [Part.EstimateDrain]. Once the stop has begun
// it stays as it was.
func (g *Group) Predict() Prediction {
	g.forecast.mu.Lock()
	defer g.forecast.mu.Unlock()
	return g.forecast.latest
}

// foresee takes samples until the stop begins.
func (g *Group) foresee() {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-g.stopping:
			return
		case <-tick.C:
		}
		g.ask()
		if happened(g.stopping) {
			return // what the parts say now is not what they said in peace
		}
		p, warn, over := g.forecast.sample(g.conf.plan, g.running(), time.Now())
		switch {
		case warn:
			g.notes.add(slog.LevelWarn, "a stop would lose work", slog.String("prediction", p.String()),
				slog.Duration("need", p.Need), slog.Duration("p50", p.P50), slog.Duration("p99", p.P99), slog.Duration("window", p.Window))
		case over:
			g.notes.add(slog.LevelInfo, "a stop would end in time again", slog.String("prediction", p.String()))
		}
	}
}

// running returns the parts that have started.
func (g *Group) running() []*instance {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []*instance
	for _, in := range g.parts {
		if in.part.Start == nil || happened(in.startDone) && !in.failed() {
			list = append(list, in)
		}
	}
	return list
}

// ask asks every part what it has to do, each in a goroutine of its own: an answer may never come. Such a part is not
// asked again.
func (g *Group) ask() {
	var open atomic.Int64
	open.Store(1)
	all := make(chan struct{})
	answered := func(error) {
		if open.Add(-1) == 0 {
			close(all)
		}
	}
	for _, in := range g.running() {
		if in.part.Remaining == nil && in.part.EstimateDrain == nil || !in.asked.CompareAndSwap(false, true) {
			continue
		}
		open.Add(1)
		go in.labelled(context.Background(), func(context.Context) {
			guard(func() error {
				r := in.read()
				in.asked.Store(false)
				g.forecast.note(in, r)
				return nil
			}, answered)
		})
	}
	answered(nil)
	wait := time.NewTimer(askTime)
	defer wait.Stop()
	select {
	case <-all:
	case <-wait.C:
	case <-g.stopping:
	}
}

// read asks the part. A panic leaves it marked as asked.
func (in *instance) read() reading {
	r := reading{}
	if in.part.Remaining != nil {
		r.remaining = in.part.Remaining()
	}
	if in.part.Completed != nil {
		r.completed = in.part.Completed()
	}
	if in.part.EstimateDrain != nil {
		r.estimate = in.part.EstimateDrain()
	}
	r.at = time.Now()
	return r
}

// note adds an answer of a part.
func (f *forecast) note(in *instance, r reading) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.histories == nil {
		f.histories = make(map[*instance]*history)
	}
	h := f.histories[in]
	if h == nil {
		h = &history{}
		f.histories[in] = h
	}
	h.add(r)
}

// removed remembers how long the Stop of a part took.
func (f *forecast) removed(name string, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.measured == nil {
		f.measured = make(map[string]time.Duration)
	}
	if _, known := f.measured[name]; known || len(f.measured) < maxMeasured {
		f.measured[name] = took
	}
}

// sample makes a prediction from what is known of the parts, and says whether it is worth a word.
func (f *forecast) sample(plan Plan, running []*instance, now time.Time) (p Prediction, warn, over bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := make(map[*instance]*history, len(running))
	var parts [phaseCount][]PartPrediction
	for _, in := range running {
		h := f.histories[in]
		if h == nil {
			h = &history{}
		} else {
			kept[in] = h
		}
		part := h.predict(&in.part, now)
		if took, known := f.measured[part.Name]; known && part.Source == SourceUnknown {
			part.Source, part.Need = SourceMeasured, took
		}
		i := in.part.Phase - 1
		parts[i] = append(parts[i], part)
	}
	f.histories = kept
	p = plan.predict(parts)
	p.At = now
	f.window.judge(&p)
	f.latest = p
	warn, over = f.alarm.note(p)
	return p, warn, over
}
