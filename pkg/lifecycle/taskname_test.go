package lifecycle_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// afterSecond is a context that ends in a second.
func afterSecond(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAGoroutineThatEndsLateLeavesAnotherOneOfItsNameInTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		stuck := make(chan struct{})
		g.Go("x", func(context.Context) error { <-stuck; return nil })
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		<-g.Started()
		if err := g.Remove(afterSecond(t), "x"); !errors.Is(err, lifecycle.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		ended := false
		g.Go("x", func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(time.Second)
			ended = true
			return nil
		})
		close(stuck)
		synctest.Wait()
		g.Shutdown(nil)
		must(t, <-done)
		if p := find(t, g.Report(), "x"); !ended || p.Outcome != lifecycle.Clean {
			t.Errorf("the second one was not awaited: %+v", p)
		}
	})
}

func TestAStartThatComesBackLateLeavesAnotherPartOfItsNameAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, lifecycle.WithStartTimeout(time.Second))
		running(t, g)
		hung := make(chan struct{})
		late := lifecycle.Part{Name: "x", Phase: lifecycle.Close, Start: func(context.Context) error { <-hung; return nil }}
		if err := g.Add(late); !errors.Is(err, lifecycle.ErrStartTimeout) {
			t.Errorf("got %v", err)
		}
		if err := g.Remove(afterSecond(t), "x"); !errors.Is(err, lifecycle.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		stopped := false
		must(t, g.Add(lifecycle.Part{Name: "x", Phase: lifecycle.Close, Stop: func(context.Context) error { stopped = true; return nil }}))
		close(hung)
		<-time.After(time.Minute)
		if stopped {
			t.Error("another part of the name was stopped")
		}
	})
}
