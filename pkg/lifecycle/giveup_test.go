package lifecycle_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestAPartThatWasGivenUpDoesNotCountInTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, lifecycle.WithStartTimeout(time.Second))
		running(t, g)
		hung := make(chan struct{})
		added := make(chan error, 1)
		go func() {
			added <- g.Add(lifecycle.Part{
				Name: "late", Phase: lifecycle.Close, Start: func(context.Context) error { <-hung; return nil },
				Health: func() lifecycle.Health { return lifecycle.Health{Condition: lifecycle.Dead} },
				Stop:   func(context.Context) error { <-time.After(time.Second); return nil },
			})
		}()
		synctest.Wait()
		if s := g.Status(); s.Ready || s.Reason != "late is unready: not started" {
			t.Errorf("while it starts: %+v", s)
		}
		if err := <-added; !errors.Is(err, lifecycle.ErrStartTimeout) {
			t.Errorf("got %v", err)
		}
		if s := g.Status(); !s.Ready || !s.Live || len(s.Parts) != 0 {
			t.Errorf("given up: %+v", s)
		}
		close(hung)
		synctest.Wait()
		if s := g.Status(); !s.Ready || !s.Live || len(s.Parts) != 0 {
			t.Errorf("it stops after its late start: %+v", s)
		}
	})
}

func TestAPartThatStartsWhileStatusWaitsForAnotherIsNotCalledMute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		running(t, g)
		must(t, g.Add(lifecycle.Part{Name: "slow", Phase: lifecycle.Close, Health: func() lifecycle.Health {
			<-time.After(60 * time.Millisecond)
			return lifecycle.Health{}
		}}))
		for name, c := range map[string]struct {
			health func() lifecycle.Health
			ready  bool
			reason string
		}{
			"plain":        {nil, true, ""},
			"with a voice": {func() lifecycle.Health { return lifecycle.Health{} }, false, "with a voice is unready: not started"},
		} {
			added := make(chan error, 1)
			go func() {
				added <- g.Add(lifecycle.Part{
					Name: name, Phase: lifecycle.Close, Health: c.health,
					Start: func(context.Context) error { <-time.After(20 * time.Millisecond); return nil },
					Stop:  func(context.Context) error { return nil },
				})
			}()
			synctest.Wait()
			if s := g.Status(); s.Ready != c.ready || s.Reason != c.reason {
				t.Errorf("%s: %+v", name, s)
			}
			must(t, <-added)
			if s := g.Status(); !s.Ready {
				t.Errorf("%s, asked: %+v", name, s)
			}
			must(t, g.Remove(t.Context(), name))
		}
	})
}
