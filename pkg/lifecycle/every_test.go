package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// runGroup runs g until all has started and returns what stops it.
func runGroup(t *testing.T, g *lifecycle.Group) (stop func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- g.Run(t.Context()) }()
	<-g.Started()
	return func() error {
		g.Shutdown(nil)
		return <-done
	}
}

func TestPeriodicWorkNeverOverlapsAndRestsForTheIntervalAndTheJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		const interval, jitter, takes = 10 * time.Second, 4 * time.Second, 5 * time.Second
		var running, calls int
		var rests []time.Duration
		ended := time.Now().Add(-interval)
		g.Every("work", interval, jitter, func(context.Context) error {
			rests = append(rests, time.Since(ended))
			if running++; running > 1 {
				t.Error("two calls at a time")
			}
			<-time.After(takes)
			running--
			calls++
			ended = time.Now()
			return nil
		})
		stop := runGroup(t, g)
		<-time.After(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if calls < 189 || calls > 240 {
			t.Errorf("%d calls in an hour", calls)
		}
		same := true
		for i, rest := range rests {
			if rest < interval || rest >= interval+jitter {
				t.Errorf("rested for %v", rest)
			}
			same = same && (i == 0 || rest == rests[len(rests)-1])
		}
		if same {
			t.Errorf("all rests are %v", rests[1])
		}
	})
}

func TestPeriodicWorkUnderWayIsAwaitedAndNoneBeginsInAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := newGroup(t, lifecycle.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		var calls, told int
		g.Every("work", time.Second, 0, func(ctx context.Context) error {
			calls++
			<-ctx.Done()
			told++
			<-time.After(5 * time.Second)
			return ctx.Err()
		})
		stop := runGroup(t, g)
		<-time.After(time.Minute)
		begin := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if calls != 1 || told != 1 || time.Since(begin) != 5*time.Second {
			t.Errorf("%d calls, %d told, stopped in %v", calls, told, time.Since(begin))
		}
		if strings.Contains(log.String(), "failed") {
			t.Errorf("a call that the stop has ended counts as a failure:\n%s", log.String())
		}
	})
}

func TestAFailureOfPeriodicWorkIsADegradationUntilACallSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var broken atomic.Bool
		broken.Store(true)
		g.Every("clean-up", time.Second, 0, func(context.Context) error {
			if broken.Load() {
				return errors.New("the table is locked")
			}
			return nil
		})
		stop := runGroup(t, g)
		<-time.After(2500 * time.Millisecond)
		if s := g.Status(); !s.Ready || s.Reason != "clean-up is degraded: the last call has failed" {
			t.Errorf("%+v", s)
		}
		broken.Store(false)
		<-time.After(2 * time.Second)
		if s := g.Status(); s.Reason != "" {
			t.Errorf("%+v", s)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAPanicOfPeriodicWorkStopsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		g.Every("work", time.Second, 0, func(context.Context) error { panic("odd") })
		err := g.Run(t.Context())
		var p *lifecycle.PanicError
		if lifecycle.ExitCode(err) != lifecycle.ExitError || !errors.As(err, &p) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnImpossibleIntervalIsRefused(t *testing.T) {
	for _, d := range [][2]time.Duration{{0, 0}, {-time.Second, 0}, {time.Second, -1}} {
		g := newGroup(t)
		g.Every("work", d[0], d[1], func(context.Context) error { return nil })
		if code := lifecycle.ExitCode(g.Run(t.Context())); code != lifecycle.ExitUsage {
			t.Errorf("every %v, jitter %v: exit code %d", d[0], d[1], code)
		}
	}
}
