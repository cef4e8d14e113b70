package lifecycle_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// obey waits for the end of its context and returns why it ended.
func obey(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// signals sends signals at the given times after the start.
func signals(g *lifecycle.Group, at ...time.Duration) {
	go func() {
		select {
		case <-g.Started():
		case <-g.Stopping():
			return
		}
		begin := time.Now()
		for _, d := range at {
			<-time.After(time.Until(begin.Add(d)))
			g.Signal(syscall.SIGTERM)
		}
	}()
}

func TestASecondSignalEndsAnnounceAndDrainAndLeavesTheOthersTheirFloors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, lifecycle.WithPropagation(10*time.Second))
		for ph := lifecycle.IntakeOff; ph <= lifecycle.Close; ph++ {
			must(t, g.Add(lifecycle.Part{Name: ph.String(), Phase: ph, Stop: obey}))
		}
		signals(g, 0, time.Second)
		err := g.Run(t.Context())
		if !errors.Is(err, lifecycle.ErrSecondSignal) || lifecycle.ExitCode(err) != lifecycle.ExitDeadline {
			t.Errorf("got %v", err)
		}
		plan := g.Plan()
		want := map[lifecycle.Phase]time.Duration{lifecycle.Announce: time.Second}
		for _, ph := range []lifecycle.Phase{lifecycle.IntakeOff, lifecycle.Commit, lifecycle.Leave, lifecycle.Close} {
			want[ph] = plan.Budget(ph).Min
		}
		for _, ph := range g.Report().Phases {
			if got := time.Duration(ph.Used); got != want[ph.Phase] {
				t.Errorf("%v used %v, not %v", ph.Phase, got, want[ph.Phase])
			}
		}
	})
}

func TestASecondSignalInCommitLeavesItItsFloorFromThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		must(t, g.Add(lifecycle.Part{Name: "flush", Phase: lifecycle.Commit, Stop: obey}))
		signals(g, 0, time.Second)
		_ = g.Run(t.Context())
		if got := find(t, g.Report(), "flush"); time.Duration(got.Used) != 3500*time.Millisecond || got.Outcome != lifecycle.Forced {
			t.Errorf("%+v", got)
		}
	})
}

func TestAThirdSignalMakesRunReturnNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		release := make(chan struct{})
		defer close(release)
		must(t, g.Add(lifecycle.Part{Name: "hung", Phase: lifecycle.IntakeOff, Stop: func(context.Context) error { <-release; return nil }}))
		must(t, g.Add(lifecycle.Part{Name: "flush", Phase: lifecycle.Commit, Stop: obey}))
		signals(g, 0, 100*time.Millisecond, 200*time.Millisecond)
		err := g.Run(t.Context())
		if !errors.Is(err, lifecycle.ErrThirdSignal) || lifecycle.ExitCode(err) != lifecycle.ExitDeadline {
			t.Errorf("got %v", err)
		}
		g.Signal(nil) // means nothing any more
		r := g.Report()
		if r.Used != lifecycle.Duration(200*time.Millisecond) || len(r.Signals) != 3 || find(t, r, "flush").Outcome != lifecycle.Skipped {
			t.Errorf("%v", r)
		}
	})
}

func TestTheFirstSignalInAStopThatAFailureBeganHurriesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		must(t, g.Add(lifecycle.Part{Name: "work", Phase: lifecycle.Drain, Stop: func(context.Context) error {
			<-time.After(5 * time.Second)
			return nil
		}}))
		signals(g, time.Second)
		go func() { <-g.Started(); g.Shutdown(errors.New("broken")) }()
		if err := g.Run(t.Context()); lifecycle.ExitCode(err) != lifecycle.ExitError {
			t.Errorf("got %v", err)
		}
		if p := find(t, g.Report(), "work"); p.Outcome != lifecycle.Clean {
			t.Errorf("%+v", p)
		}
	})
}

func TestTheEndOfTheContextOfRunIsACleanStopUnlessItHasACause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		for _, c := range []struct {
			cause error
			code  int
		}{{nil, lifecycle.ExitClean}, {broken, lifecycle.ExitError}} {
			g := newGroup(t)
			type key struct{}
			ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
			must(t, g.Add(lifecycle.Part{Name: "pool", Phase: lifecycle.Close, Stop: func(ctx context.Context) error {
				if ctx.Err() != nil || ctx.Value(key{}) != "value" {
					t.Errorf("a stop with %v and %v", ctx.Err(), ctx.Value(key{}))
				}
				return nil
			}}))
			go func() { <-g.Started(); cancel(c.cause) }()
			if err := g.Run(ctx); lifecycle.ExitCode(err) != c.code || !errors.Is(err, c.cause) {
				t.Errorf("cause %v: %v", c.cause, err)
			}
		}
	})
}

func TestThePropagationIsWaitedForOnceByThePreStopHookOrByAnnounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for preStop, want := range map[time.Duration]time.Duration{0: 5 * time.Second, 2 * time.Second: 3 * time.Second, 7 * time.Second: 0} {
			g := newGroup(t, lifecycle.WithPropagation(5*time.Second), lifecycle.WithPreStop(preStop))
			signals(g, 0)
			must(t, g.Run(t.Context()))
			if got := time.Duration(g.Report().Used); got != want {
				t.Errorf("pre-stop %v: announced for %v, not %v", preStop, got, want)
			}
		}
	})
}

func TestRemainingCountsDownToZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		if got := g.Remaining(); got != 28*time.Second {
			t.Errorf("before the stop %v", got)
		}
		must(t, g.Add(lifecycle.Part{Name: "work", Phase: lifecycle.Drain, Stop: func(context.Context) error {
			<-time.After(8 * time.Second)
			if got := g.Remaining(); got != 20*time.Second {
				t.Errorf("in the stop %v", got)
			}
			return nil
		}}))
		signals(g, 0)
		must(t, g.Run(t.Context()))
		<-time.After(time.Minute)
		if got := g.Remaining(); got != 0 {
			t.Errorf("after the stop %v", got)
		}
	})
}
