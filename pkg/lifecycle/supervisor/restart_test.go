package supervisor

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTheBackoffDoublesFromMinToMaxWithJitterOverItsUpperHalf(t *testing.T) {
	p, err := RestartPolicy{Min: 100 * time.Millisecond, Max: time.Second}.complete(1)
	if err != nil {
		t.Fatal(err)
	}
	for n, milliseconds := range []int64{100, 200, 400, 800, 1000, 1000} {
		want := time.Duration(milliseconds) * time.Millisecond
		if got := p.backoff(n, 0); got != want/2 {
			t.Errorf("restart %d, least: %v, want %v", n, got, want/2)
		}
		if got := p.backoff(n, 0.999999); got > want || got < want-time.Millisecond {
			t.Errorf("restart %d, most: %v, want nearly %v", n, got, want)
		}
	}
	if got := p.backoff(1_000_000, 0); got != p.Max/2 {
		t.Errorf("restart 1,000,000: %v", got)
	}
}

func TestTheIntensityCountsRestartsInASlidingWindow(t *testing.T) {
	i := intensity{limit: 3, period: time.Minute}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true},
		{10 * time.Second, true},
		{20 * time.Second, true},
		{59 * time.Second, false}, // the fourth within a minute
		{61 * time.Second, false}, // what was refused counts as well
		{121 * time.Second, true},
	} {
		if got := i.allow(start.Add(c.after)); got != c.want {
			t.Errorf("after %v: %v, want %v", c.after, got, c.want)
		}
	}
	unlimited := intensity{limit: -1}
	for range 1000 {
		if !unlimited.allow(start) {
			t.Fatal("no limit is a limit")
		}
	}
	if len(unlimited.starts) != 0 {
		t.Error("without a limit nothing has to be remembered")
	}
}

func TestAChildWithoutHeartbeatsHangsAfterTheTimeoutAndNotBefore(t *testing.T) {
	w := newWatch(&Spec{Heartbeat: time.Second, HeartbeatTimeout: 3 * time.Second, ProgressTimeout: -1})
	for tick, want := range []error{nil, nil, nil, nil, ErrUnresponsive} {
		if err := w.tick(); (err != nil) != (want != nil) {
			t.Errorf("tick %d: %v, want %v", tick, err, want)
		}
	}
	w.hear(vitals{})
	if err := w.tick(); err != nil {
		t.Errorf("after a heartbeat: %v", err)
	}
}

func TestAChildStallsOnlyWithWorkInFlightAndAnUnchangedCounter(t *testing.T) {
	for _, c := range []struct {
		name string
		beat func(i int) vitals
		want bool
	}{
		{"idle", func(int) vitals { return vitals{} }, false},
		{"working", func(i int) vitals { return vitals{inFlight: 1, progress: int64(i)} }, false},
		{"slow", func(i int) vitals { return vitals{inFlight: 1, progress: int64(i / 3)} }, false},
		{"stuck", func(int) vitals { return vitals{inFlight: 1, progress: 5} }, true},
		{"one unit stuck, others done", func(i int) vitals {
			return vitals{inFlight: 2, oldest: time.Duration(i) * time.Second, progress: int64(i)}
		}, true},
		{"an age of nothing", func(i int) vitals { return vitals{oldest: time.Hour, progress: int64(i)} }, false},
		{"now and then idle", func(i int) vitals { return vitals{inFlight: int64(i % 3)} }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWatch(&Spec{
				Heartbeat: time.Second, HeartbeatTimeout: time.Minute, ProgressTimeout: 5 * time.Second, OldestTimeout: time.Minute,
			})
			var err error
			for i := 0; i < 100 && err == nil; i++ {
				w.hear(c.beat(i))
				err = w.tick()
			}
			if (err != nil) != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTheLadderTakesEveryStepAtItsTimeAndOnlyUpwards(t *testing.T) {
	type taken struct {
		step  Step
		after time.Duration
	}
	for _, c := range []struct {
		name   string
		orders []order // one per second; until is relative to the start here
		want   []taken
	}{
		{
			"all steps",
			[]order{{step: StepDrain, until: time.Time{}.Add(10 * time.Second)}},
			[]taken{{StepDrain, 0}, {StepTerm, 10 * time.Second}, {StepQuit, 12 * time.Second}, {StepKill, 15 * time.Second}},
		},
		{
			"a later drain replaces the time of an earlier one",
			[]order{{step: StepDrain, until: time.Time{}.Add(10 * time.Second)}, {step: StepDrain, until: time.Time{}.Add(5 * time.Second)}},
			[]taken{{StepDrain, 0}, {StepDrain, time.Second}, {StepTerm, 5 * time.Second}, {StepQuit, 7 * time.Second}, {StepKill, 10 * time.Second}},
		},
		{
			"a higher step is taken at once, a lower one is not",
			[]order{{step: StepQuit}, {step: StepDrain, until: time.Time{}.Add(time.Hour)}},
			[]taken{{StepQuit, 0}, {StepKill, 4 * time.Second}},
		},
		{
			"kill is the end",
			[]order{{step: StepKill}, {step: StepKill}, {step: StepTerm}},
			[]taken{{StepKill, 0}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var got []taken
				gone := make(chan struct{})
				l := newLadder(gone, func(step Step, _ time.Time) { got = append(got, taken{step, time.Since(start)}) })
				go l.run()
				for i, o := range c.orders {
					o.term, o.quit = 2*time.Second, 3*time.Second
					o.until = start.Add(o.until.Sub(time.Time{}))
					<-time.After(time.Until(start.Add(time.Duration(i) * time.Second)))
					l.climb(o)
				}
				<-time.After(time.Minute)
				close(gone)
				synctest.Wait()
				l.climb(order{step: StepKill}) // a process that is gone takes no orders
				if len(got) != len(c.want) {
					t.Fatalf("got %v, want %v", got, c.want)
				}
				for i := range got {
					if got[i] != c.want[i] {
						t.Errorf("step %d: got %v, want %v", i, got[i], c.want[i])
					}
				}
			})
		})
	}
}

func TestAShortPhaseLeavesHalfOfItForDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Supervisor{spec: Spec{TermTimeout: time.Second, QuitTimeout: time.Second}}
		for budget, drain := range map[time.Duration]time.Duration{
			20 * time.Second: 20*time.Second - 2*time.Second - killMargin,
			2 * time.Second:  time.Second,
			0:                0,
		} {
			o := s.plan(budget)
			if got := time.Until(o.until); got < drain || got > drain+time.Millisecond {
				t.Errorf("budget %v: drain %v, want %v", budget, got, drain)
			}
			if end := time.Until(o.until) + o.term + o.quit; end > budget {
				t.Errorf("budget %v: SIGKILL after %v", budget, end)
			}
		}
	})
}
