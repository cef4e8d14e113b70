package lifecycle_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestWhenTheStopHasBegunNothingIsAddedOrRemovedAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var tr trail
		must(t, g.Add(tr.part("consumer", lifecycle.Commit)))
		must(t, g.Add(lifecycle.Part{Name: "calls", Phase: lifecycle.Drain, Stop: func(context.Context) error {
			<-time.After(time.Second)
			if err := g.Remove(t.Context(), "consumer"); !errors.Is(err, lifecycle.ErrStopping) {
				t.Errorf("Remove: %v", err)
			}
			if err := g.Add(tr.part("late", lifecycle.Commit)); !errors.Is(err, lifecycle.ErrStopping) {
				t.Errorf("Add: %v", err)
			}
			tr.is(t, "start consumer") // committed only once Drain is over
			return nil
		}}))
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		<-g.Started()
		g.Shutdown(nil)
		must(t, <-done)
		tr.is(t, "start consumer", "stop consumer")
	})
}

func TestARemoveThatTheStopMeetsIsTheSameStopOfThePart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var stops atomic.Int64
		must(t, g.Add(lifecycle.Part{Name: "worker", Phase: lifecycle.Drain, Stop: func(context.Context) error {
			stops.Add(1)
			<-time.After(4 * time.Second)
			return nil
		}}))
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		<-g.Started()
		removed := make(chan error, 2)
		for range 2 { // two at once share it as well
			go func() { removed <- g.Remove(t.Context(), "worker") }()
		}
		<-time.After(time.Second)
		g.Shutdown(nil)
		must(t, <-removed)
		must(t, <-removed)
		must(t, <-done)
		if p := find(t, g.Report(), "worker"); stops.Load() != 1 || p.Outcome != lifecycle.Clean || time.Duration(p.Used) != 3*time.Second {
			t.Errorf("%d stops, %+v", stops.Load(), p)
		}
	})
}

func TestAPartThatIsRemovedWhenTheStopBeginsIsInTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		wait := func(d time.Duration) func(context.Context) error {
			return func(context.Context) error { <-time.After(d); return nil }
		}
		must(t, g.Add(lifecycle.Part{Name: "calls", Phase: lifecycle.Drain, Stop: wait(5 * time.Second)}))
		must(t, g.Add(lifecycle.Part{Name: "consumer", Phase: lifecycle.Commit, Stop: wait(2 * time.Second)}))
		done, removed := make(chan error, 1), make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		<-g.Started()
		go func() { removed <- g.Remove(t.Context(), "consumer") }()
		synctest.Wait()
		g.Shutdown(nil)
		must(t, <-removed) // long before the phase of the part
		must(t, <-done)
		if p := find(t, g.Report(), "consumer"); p.Outcome != lifecycle.Clean || p.Used != 0 {
			t.Errorf("%+v", p)
		}
	})
}

func TestAPartIsRemovedWhileItStartsOrBeforeItEverDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var tr trail
		must(t, g.Add(tr.part("never started", lifecycle.Commit)))
		must(t, g.Remove(t.Context(), "never started"))
		running(t, g)
		slow := tr.part("slow", lifecycle.Commit)
		slow.Start = func(context.Context) error { <-time.After(2 * time.Second); return nil }
		added := make(chan error, 1)
		go func() { added <- g.Add(slow) }()
		synctest.Wait()
		must(t, g.Remove(t.Context(), "slow")) // waits for the Start, then stops
		must(t, <-added)
		tr.is(t, "stop slow")

		stuck := tr.part("stuck", lifecycle.Commit)
		release := make(chan struct{})
		stuck.Start = func(context.Context) error { <-release; return nil }
		go func() { added <- g.Add(stuck) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := g.Remove(ctx, "stuck"); !errors.Is(err, lifecycle.ErrDeadlineExceeded) || time.Since(begin) > 1250*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		close(release)
		must(t, <-added)
		synctest.Wait()
		tr.is(t, "stop slow") // a part that was given up does not act later
	})
}

func TestRemoveTakesNoLongerThanThePhaseOfThePartCanGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		release := make(chan struct{})
		defer close(release)
		must(t, g.Add(lifecycle.Part{Name: "hung", Phase: lifecycle.Commit, Stop: func(context.Context) error { <-release; return nil }}))
		running(t, g)
		begin := time.Now()
		if err := g.Remove(t.Context(), "hung"); !errors.Is(err, lifecycle.ErrDeadlineExceeded) || time.Since(begin) != 5250*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		cancelled, cancel := context.WithCancel(t.Context())
		must(t, g.Add(lifecycle.Part{Name: "hung", Phase: lifecycle.Commit, Stop: func(context.Context) error { <-release; return nil }}))
		begin = time.Now()
		go func() { <-time.After(time.Second); cancel() }()
		if err := g.Remove(cancelled, "hung"); !errors.Is(err, lifecycle.ErrDeadlineExceeded) || time.Since(begin) != 1250*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}
