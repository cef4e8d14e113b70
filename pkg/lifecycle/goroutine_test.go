package lifecycle_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestAGoroutineWorksThroughAnnounceAndIntakeOffAndIsAwaitedInDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, lifecycle.WithPropagation(2*time.Second))
		var cancelled time.Duration
		var begin time.Time
		drained := false
		g.Go("loop", func(ctx context.Context) error {
			<-ctx.Done()
			cancelled = time.Since(begin)
			<-time.After(3 * time.Second)
			drained = true
			return ctx.Err()
		})
		must(t, g.Add(lifecycle.Part{Name: "commit", Phase: lifecycle.Commit, Stop: func(context.Context) error {
			if !drained {
				t.Error("committed before the goroutine had ended")
			}
			return nil
		}}))
		go func() { <-g.Started(); begin = time.Now(); g.Shutdown(nil) }()
		must(t, g.Run(t.Context()))
		if cancelled != 2*time.Second {
			t.Errorf("cancelled after %v", cancelled)
		}
	})
}

func TestAGoroutineThatFailsOrPanicsStopsTheGroup(t *testing.T) {
	for what, f := range map[string]func(context.Context) error{
		"disk full":   func(context.Context) error { return errors.New("disk full") },
		"panic: boom": func(context.Context) error { panic("boom") },
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGroup(t)
			g.Go("loop", f)
			err := g.Run(t.Context())
			if lifecycle.ExitCode(err) != lifecycle.ExitError || err.Error() != `goroutine "loop": `+what {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAGoroutineThatEndsWithoutErrorLeavesTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		<-g.Started()
		for range 1000 {
			g.Go("task", func(context.Context) error { return nil })
		}
		synctest.Wait()
		g.Shutdown(nil)
		must(t, <-done)
		if parts := g.Report().Phases[lifecycle.Drain-1].Parts; len(parts) != 0 {
			t.Errorf("%d parts are left", len(parts))
		}
		called := false
		g.Go("late", func(context.Context) error { called = true; return nil })
		synctest.Wait()
		if called {
			t.Error("called after the stop")
		}
	})
}

func TestGoroutinesOfOneNameAreNumbered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		for range 3 {
			g.Go("worker", func(ctx context.Context) error { <-ctx.Done(); return nil })
		}
		go func() { <-g.Started(); g.Shutdown(nil) }()
		must(t, g.Run(t.Context()))
		var names []string
		for _, p := range g.Report().Phases[lifecycle.Drain-1].Parts {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != "worker worker#2 worker#3" {
			t.Error(got)
		}
	})
}

func TestAnErrorWhileDrainingIsReportedButDoesNotEndTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		lost := errors.New("batch lost")
		g.Go("worker", func(ctx context.Context) error { <-ctx.Done(); return lost })
		go func() { <-g.Started(); g.Shutdown(nil) }()
		err := g.Run(t.Context())
		if !errors.Is(err, lost) || lifecycle.ExitCode(err) != lifecycle.ExitError {
			t.Errorf("got %v", err)
		}
		if p := find(t, g.Report(), "worker"); p.Outcome != lifecycle.Failed {
			t.Errorf("%+v", p)
		}
	})
}

func TestATaskWorksIntoThePhaseOfItsPartAndIsToldWhatItsPartLikes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var tr trail
		left := make(chan struct{})
		task := g.Task("feed", func(ctx context.Context) error {
			select {
			case <-left:
			case <-ctx.Done():
				t.Error("cancelled before it was told to leave")
			}
			tr.steps = append(tr.steps, "left")
			<-ctx.Done()
			return ctx.Err()
		})
		must(t, g.Add(tr.part("calls", lifecycle.Drain)))
		must(t, g.Add(lifecycle.Part{
			Name: "feed", Phase: lifecycle.Leave, Start: task.Start, Kill: task.Cancel,
			Stop: func(ctx context.Context) error { close(left); synctest.Wait(); return task.Stop(ctx) },
		}))
		go func() { <-g.Started(); g.Shutdown(nil) }()
		must(t, g.Run(t.Context()))
		<-task.Done()
		tr.is(t, "start calls", "stop calls", "left")
	})
}

func TestATaskThatFailsStopsTheGroupAndOneThatIsKilledIsForced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		task := g.Task("feed", func(context.Context) error { panic("lost") })
		must(t, g.Add(lifecycle.Part{Name: "feed", Phase: lifecycle.Leave, Start: task.Start, Stop: task.Stop, Kill: task.Cancel}))
		if err := g.Run(t.Context()); err == nil || err.Error() != `goroutine "feed": panic: lost` {
			t.Errorf("got %v", err)
		}

		g = newGroup(t)
		killed := g.Task("deaf", func(ctx context.Context) error { <-ctx.Done(); return nil })
		must(t, g.Add(lifecycle.Part{
			Name: "deaf", Phase: lifecycle.Leave, Start: killed.Start, Kill: killed.Cancel,
			Stop: func(context.Context) error { <-killed.Done(); return nil },
		}))
		go func() { <-g.Started(); g.Shutdown(nil) }()
		_ = g.Run(t.Context())
		if p := find(t, g.Report(), "deaf"); p.Outcome != lifecycle.Forced {
			t.Errorf("%+v", p)
		}
	})
}

func TestWithinReturnsWithTheFunctionOrWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		if err := lifecycle.Within(t.Context(), func() error { return broken }); !errors.Is(err, broken) {
			t.Error(err)
		}
		if err := lifecycle.Within(t.Context(), func() error { panic(broken) }); !errors.Is(err, broken) {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, broken)
		defer cancel()
		begin := time.Now()
		err := lifecycle.Within(ctx, func() error { <-time.After(time.Minute); return nil })
		if took := time.Since(begin); !errors.Is(err, broken) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
		<-time.After(time.Minute)
	})
}
