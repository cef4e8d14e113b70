package lifecycle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// healthy returns a part whose condition is that of the number.
func healthy(name string, condition *atomic.Int64) lifecycle.Part {
	return lifecycle.Part{Name: name, Phase: lifecycle.Leave, Health: func() lifecycle.Health {
		c := lifecycle.Condition(condition.Load())
		if c == lifecycle.Ready {
			return lifecycle.Health{}
		}
		return lifecycle.Health{Condition: c, Reason: "because"}
	}}
}

// running runs the group until the test ends.
func running(t *testing.T, g *lifecycle.Group) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- g.Run(t.Context()) }()
	<-g.Started()
	t.Cleanup(func() {
		g.Shutdown(nil)
		<-done
	})
}

func TestAGroupIsAsReadyAndAsLiveAsItsWorstPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var feed, cache atomic.Int64
		must(t, g.Add(healthy("feed", &feed)))
		must(t, g.Add(healthy("cache", &cache)))
		running(t, g)
		for _, c := range []struct {
			feed, cache lifecycle.Condition
			ready, live bool
			reason      string
		}{
			{lifecycle.Ready, lifecycle.Ready, true, true, ""},
			{lifecycle.Degraded, lifecycle.Ready, true, true, "feed is degraded: because"},
			{lifecycle.Degraded, lifecycle.Unready, false, true, "feed is degraded: because; cache is unready: because"},
			{lifecycle.Dead, lifecycle.Ready, false, false, "feed is dead: because"},
			{lifecycle.Ready, lifecycle.Condition(99), false, false, "cache is dead: because"},
			{lifecycle.Ready, lifecycle.Ready, true, true, ""},
		} {
			feed.Store(int64(c.feed))
			cache.Store(int64(c.cache))
			s := g.Status()
			if s.State != "running" || s.Ready != c.ready || s.Live != c.live || s.Reason != c.reason || len(s.Parts) != 2 {
				t.Errorf("%v and %v: %+v", c.feed, c.cache, s)
			}
		}
		feed.Store(int64(lifecycle.Unready))
		must(t, g.Remove(t.Context(), "feed"))
		if s := g.Status(); !s.Ready {
			t.Errorf("a part that was removed counts: %+v", s)
		}
	})
}

func TestAGroupIsReadyOnlyWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		opened := make(chan struct{})
		must(t, g.Add(lifecycle.Part{
			Name: "database", Phase: lifecycle.Close,
			Start: func(ctx context.Context) error {
				lifecycle.Progress(ctx, "migration 3 of 7")
				<-opened
				return nil
			},
			Stop:   func(ctx context.Context) error { <-time.After(time.Second); return nil },
			Health: func() lifecycle.Health { return lifecycle.Health{Condition: lifecycle.Dead} },
		}))
		is := func(state, reason string, live bool) {
			t.Helper()
			if s := g.Status(); s.State != state || s.Ready || s.Live != live || s.Reason != reason {
				t.Errorf("got %+v", s)
			}
		}
		is("idle", "not started", true)
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		synctest.Wait()
		is("starting", "waits for database (migration 3 of 7)", true)
		if p := g.Status().Parts; len(p) != 1 || p[0].Condition != lifecycle.Unready || p[0].Reason != "migration 3 of 7" {
			t.Errorf("got %+v", p)
		}
		close(opened)
		<-g.Started()
		is("running", "database is dead", false)
		g.Shutdown(errors.New("disk full"))
		is("stopping", "disk full", true) // a restart is under way
		<-done
		is("stopping", "disk full", true)
	})
}

func TestAPartThatDoesNotAnswerCountsAsItDidBeforeAndThenAsUnready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var asked atomic.Int64
		mute, speak := make(chan struct{}), make(chan struct{})
		must(t, g.Add(lifecycle.Part{Name: "mute", Phase: lifecycle.Close, Health: func() lifecycle.Health {
			asked.Add(1)
			select {
			case <-mute:
				<-speak
			default:
			}
			return lifecycle.Health{}
		}}))
		running(t, g)
		if s := g.Status(); !s.Ready {
			t.Errorf("got %+v", s)
		}
		close(mute)
		for _, c := range []struct {
			after time.Duration // the last question
			ready bool
		}{{0, true}, {5 * time.Second, true}, {5 * time.Second, false}} {
			<-time.After(c.after)
			begin := time.Now()
			s := g.Status()
			if took := time.Since(begin); s.Ready != c.ready || took > 100*time.Millisecond {
				t.Errorf("after %v: %+v in %v", c.after, s, took)
			}
		}
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times: a part that is mute is asked once", n)
		}
		close(speak)
		synctest.Wait()
		if s := g.Status(); !s.Ready {
			t.Errorf("it has answered: %+v", s)
		}
	})
}

func TestAPanicInHealthIsUnready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		must(t, g.Add(lifecycle.Part{Name: "p", Phase: lifecycle.Close, Health: func() lifecycle.Health { panic("two\nlines") }}))
		running(t, g)
		if s := g.Status(); s.Ready || !s.Live || s.Reason != "p is unready: panic: two lines" {
			t.Errorf("got %+v", s)
		}
	})
}

func TestAChangeOfHealthIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		g := newGroup(t, lifecycle.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
		var condition atomic.Int64
		must(t, g.Add(healthy("cache", &condition)))
		running(t, g)
		for _, c := range []lifecycle.Condition{lifecycle.Ready, lifecycle.Degraded, lifecycle.Degraded, lifecycle.Ready, lifecycle.Ready} {
			condition.Store(int64(c))
			g.Status()
		}
		synctest.Wait()
		if got := strings.Count(out.String(), "health changed"); got != 2 || !strings.Contains(out.String(), "condition=degraded reason=because") {
			t.Errorf("got %s", out.String())
		}
	})
}

func TestConditionsAreReadBackStrictly(t *testing.T) {
	for c := lifecycle.Ready; c <= lifecycle.Dead; c++ {
		data, err := json.Marshal(lifecycle.Health{Condition: c})
		var back lifecycle.Health
		if err := errors.Join(err, json.Unmarshal(data, &back)); err != nil || back.Condition != c {
			t.Errorf("%v: %s, %v, %v", c, data, back, err)
		}
	}
	var c lifecycle.Condition
	if err := c.UnmarshalText([]byte("fine")); err == nil {
		t.Error("a condition that does not exist was read")
	}
	if _, err := lifecycle.Condition(7).MarshalText(); err == nil || lifecycle.Condition(-1).String() != "condition(-1)" {
		t.Error("a condition that does not exist was written")
	}
}
