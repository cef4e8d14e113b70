package lifecycle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// queue is work that comes and is done.
type queue struct{ remaining, completed atomic.Int64 }

// work completes so many a second, which come again at once, until ctx ends.
func (q *queue) work(ctx context.Context, perSecond int64) error {
	<-time.After(50 * time.Millisecond) // never in the instant of a sample
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			q.completed.Add(perSecond / 5)
		case <-ctx.Done():
			return nil
		}
	}
}

func (q *queue) part(name string) lifecycle.Part {
	return lifecycle.Part{
		Name: name, Phase: lifecycle.Drain, Unit: "uncommitted", Remaining: q.remaining.Load,
		Completed: func() uint64 { return uint64(q.completed.Load()) },
		Stop:      func(context.Context) error { q.remaining.Store(0); return nil },
	}
}

// logs collects log lines.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// lines returns the attributes of the lines with this message.
func (l *logs) lines(t *testing.T, msg string) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []map[string]any
	for line := range bytes.Lines(l.buf.Bytes()) {
		var attrs map[string]any
		if err := json.Unmarshal(line, &attrs); err != nil {
			t.Fatal(err)
		}
		if attrs["msg"] == msg {
			found = append(found, attrs)
		}
	}
	return found
}

// during runs a group with these parts for as long as f takes.
func during(t *testing.T, log io.Writer, f func(*lifecycle.Group), parts ...lifecycle.Part) *lifecycle.Group {
	t.Helper()
	g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard),
		lifecycle.WithPropagation(time.Second), lifecycle.WithLogger(slog.New(slog.NewJSONHandler(log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if err := g.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := g.Run(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	<-g.Started()
	f(g)
	g.Shutdown(nil)
	<-done
	return g
}

func TestTheGroupWarnsBeforeTheDeployThatItsGraceIsTooShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, log := &queue{}, &logs{}
		q.remaining.Store(3000)
		var said lifecycle.Prediction
		g := during(t, log, func(g *lifecycle.Group) {
			g.Go("work", func(ctx context.Context) error { return q.work(ctx, 75) })
			time.Sleep(30 * time.Second)
			said = g.Predict()
			if n := len(log.lines(t, "a stop would lose work")); n != 1 {
				t.Errorf("%d warnings in 30 s", n)
			}
			time.Sleep(12 * time.Minute)
			q.remaining.Store(75)
			time.Sleep(6 * time.Minute)
		}, q.part("orders-consumer"))

		const want = "this stop would now take 41 s, the grace is 30 s: orders-consumer has 3,000 uncommitted at 75/s"
		if !strings.HasPrefix(said.String(), want) || said.Need != 41*time.Second || said.P99 != said.Need || said.P50 != said.Need || said.Enough() {
			t.Errorf("got %s\n%+v", said, said)
		}
		warnings := log.lines(t, "a stop would lose work")
		if len(warnings) != 2 || !strings.HasPrefix(warnings[0]["prediction"].(string), want) || warnings[0]["level"] != "WARN" {
			t.Errorf("in 12 minutes: %v", warnings)
		}
		if over := log.lines(t, "a stop would end in time again"); len(over) != 1 {
			t.Errorf("it is over: %v", over)
		}
		if p := g.Report().Predicted; p == nil || time.Duration(*p) != 2*time.Second {
			t.Errorf("the report says %v", p)
		}
		if table := g.Report().String(); !strings.Contains(table, "used 1s of 28s, predicted 2s\n") {
			t.Error(table)
		}
	})
}

func TestAPartThatDoesNotAnswerHidesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, release := &queue{}, make(chan struct{})
		defer close(release)
		q.remaining.Store(10)
		var asked, panicked atomic.Int64
		mute := lifecycle.Part{Name: "mute", Phase: lifecycle.Commit, EstimateDrain: func() time.Duration {
			if asked.Add(1) == 1 {
				<-release
			}
			return 0
		}, Stop: func(context.Context) error { return nil }}
		broken := lifecycle.Part{Name: "broken", Phase: lifecycle.Commit, EstimateDrain: func() time.Duration {
			if panicked.Add(1) == 1 {
				panic("broken")
			}
			return 0
		}, Stop: func(context.Context) error { return nil }}
		during(t, io.Discard, func(g *lifecycle.Group) {
			g.Go("work", func(ctx context.Context) error { return q.work(ctx, 5) })
			time.Sleep(20*time.Second + time.Second/2)
			p := g.Predict()
			if p.Need != 3*time.Second || p.Samples != 20 {
				t.Errorf("%d samples: %v", p.Samples, p)
			}
			for _, part := range p.Phases[lifecycle.Commit-1].Parts {
				if part.Source != lifecycle.SourceUnknown || part.Need != 0 || part.Remaining != -1 {
					t.Errorf("%+v", part)
				}
			}
		}, q.part("consumer"), mute, broken)
		if asked.Load() != 2 || panicked.Load() != 2 { // once by the forecast, once by the stop
			t.Errorf("asked %d and %d times", asked.Load(), panicked.Load())
		}
	})
}

func TestARemovedPartTeachesHowLongItsNameTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := lifecycle.Part{Name: "tenant", Phase: lifecycle.Leave, Stop: func(ctx context.Context) error {
			select {
			case <-time.After(1500 * time.Millisecond):
			case <-ctx.Done():
			}
			return nil
		}}
		during(t, io.Discard, func(g *lifecycle.Group) {
			time.Sleep(2 * time.Second)
			if p := g.Predict(); p.Need != time.Second {
				t.Errorf("before anything is known: %v", p.Need)
			}
			if err := g.Remove(t.Context(), "tenant"); err != nil {
				t.Error(err)
			}
			if err := g.Add(slow); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Second)
			p := g.Predict()
			if part := p.Phases[lifecycle.Leave-1].Parts[0]; p.Need != 2500*time.Millisecond || part.Source != lifecycle.SourceMeasured {
				t.Errorf("%v, %+v", p.Need, part)
			}
		}, slow)
	})
}

func TestNothingIsPredictedBeforeTheStart(t *testing.T) {
	g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if p := g.Predict(); !p.At.IsZero() || p.Samples != 0 {
		t.Errorf("%+v", p)
	}
	g.Shutdown(nil)
	if err := g.Run(t.Context()); err != nil || g.Report().Predicted != nil {
		t.Errorf("%v, %v", err, g.Report().Predicted)
	}
}

func TestAPartSeesWhatTheStopHasDoneSoFar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g *lifecycle.Group
		var seen lifecycle.Report
		wait := func(d time.Duration) func(context.Context) error {
			return func(context.Context) error { time.Sleep(d); return nil }
		}
		last := lifecycle.Part{Name: "last", Phase: lifecycle.Close, Stop: func(context.Context) error {
			time.Sleep(time.Second)
			seen = g.SoFar()
			if r := g.Report(); r.Phases != nil {
				t.Errorf("a report of a stop that is not over: %+v", r)
			}
			return nil
		}}
		g = during(t, io.Discard, func(running *lifecycle.Group) {
			g = running
			if r := g.SoFar(); r.Phases != nil || g.Report().Phases != nil {
				t.Errorf("before the stop: %+v", r)
			}
		},
			lifecycle.Part{Name: "commit", Phase: lifecycle.Commit, Stop: wait(time.Second)},
			lifecycle.Part{Name: "quick", Phase: lifecycle.Close, Stop: wait(10 * time.Millisecond)},
			lifecycle.Part{Name: "slow", Phase: lifecycle.Close, Stop: wait(2 * time.Second)}, last)

		if len(seen.Phases) != 6 || seen.Outcome != lifecycle.Underway || time.Duration(seen.Used) != 3*time.Second {
			t.Fatalf("%+v", seen)
		}
		if p := seen.Phases[3]; p.Outcome != lifecycle.Clean || p.Parts[0].Outcome != lifecycle.Clean || time.Duration(p.Used) != time.Second {
			t.Errorf("a phase that is over: %+v", p)
		}
		for i, want := range []lifecycle.PartReport{
			{Name: "quick", Outcome: lifecycle.Clean, Used: lifecycle.Duration(10 * time.Millisecond)},
			{Name: "slow", Outcome: lifecycle.Underway, Used: lifecycle.Duration(time.Second)},
			{Name: "last", Outcome: lifecycle.Underway, Used: lifecycle.Duration(time.Second)},
		} {
			if p := seen.Phases[5].Parts[i]; p.Name != want.Name || p.Outcome != want.Outcome || p.Used != want.Used {
				t.Errorf("%+v, not %+v", p, want)
			}
		}
		if quick := g.Report().Phases[5].Parts[0]; time.Duration(quick.Carried) != 2490*time.Millisecond {
			t.Errorf("carried %v of %v", quick.Carried, quick.Budget)
		}
		if r := g.SoFar(); r.Outcome != lifecycle.Clean || len(r.Phases) != 6 {
			t.Errorf("after the stop: %+v", r)
		}
	})
}
