package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestReadyIsNotToldBeforeTheLastPartOfTheLastPhaseHasStarted(t *testing.T) {
	for what, fails := range map[string]error{"starts": nil, "fails": errors.New("port taken")} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroup(t)
				begin := time.Now()
				addPart(t, g, lifecycle.Part{Name: "registry", Phase: lifecycle.Announce, Start: func(context.Context) error {
					<-time.After(5 * time.Second)
					return fails
				}})
				m, stop := watch(t, g, 0)
				<-time.After(20 * time.Second)
				ready := m.of("READY=1")
				if fails == nil && (len(ready) != 1 || ready[0].at.Sub(begin) != 5*time.Second) || fails != nil && len(ready) > 0 {
					t.Errorf("%v", ready)
				}
				if err := stop(); !errors.Is(err, fails) {
					t.Error(err)
				}
				if n := len(m.of("STOPPING=1")); n != 1 {
					t.Errorf("%d times stopping", n)
				}
			})
		})
	}
}

func TestAReadyThatCannotBeToldStopsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		deaf := errors.New("nobody listens")
		n := &Notifier{g: g, send: func(string) error { return deaf }, quit: make(chan struct{}), done: make(chan struct{})}
		if err := n.add(); err != nil {
			t.Fatal(err)
		}
		if err := g.Run(t.Context()); !errors.Is(err, deaf) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAManagerThatIsSlowToReadHearsOfReadyLater(t *testing.T) {
	for what, misses := range map[string]int{"reads in time": readyTries - 1, "never reads": readyTries} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroup(t)
				m := &manager{}
				left := misses
				n := &Notifier{g: g, quit: make(chan struct{}), done: make(chan struct{}), send: func(text string) error {
					if text == "READY=1" && left > 0 {
						left--
						<-time.After(sendTime)
						return fmt.Errorf("full: %w", os.ErrDeadlineExceeded)
					}
					return m.send(text)
				}}
				if err := n.add(); err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- g.Run(t.Context()) }()
				<-time.After(readyTries * sendTime)
				heard := len(m.of("READY=1")) == 1
				if misses < readyTries {
					g.Shutdown(nil)
				}
				if err := <-done; heard != (err == nil) || heard != (misses < readyTries) {
					t.Errorf("ready was heard: %t; the group ended with %v", heard, err)
				}
			})
		})
	}
}

func TestAPartThatDoesNotSayWhatRemainsSilencesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		stuck := make(chan struct{})
		var draining atomic.Bool
		var asked atomic.Int64
		addPart(t, g, lifecycle.Part{
			Name: "worker", Phase: lifecycle.Drain,
			Stop: func(ctx context.Context) error { draining.Store(true); <-ctx.Done(); return nil },
			Remaining: func() int64 {
				if draining.Load() {
					asked.Add(1)
					<-stuck
				}
				return 0
			},
		})
		const interval = 2 * time.Second
		m, stop := watch(t, g, interval)
		<-time.After(10500 * time.Millisecond)
		begin := time.Now()
		_ = stop() // it was forced, or worse
		last := begin
		for _, beat := range append(m.of("WATCHDOG=1"), message{time.Now(), ""}) {
			if gap := beat.at.Sub(last); gap > interval/2 {
				t.Errorf("no sign of life for %v, %v after the beginning of the stop", gap, last.Sub(begin))
			}
			last = beat.at
		}
		if took := time.Since(begin); took < 5*time.Second {
			t.Errorf("the stop took only %v", took)
		}
		if n := len(m.of("EXTEND_TIMEOUT_USEC=")); n > 0 {
			t.Errorf("%d extensions without an answer", n)
		}
		if n := len(m.of("STATUS=stopping: shutdown, ")); n < 3 {
			t.Errorf("%v", m.of("STATUS="))
		}
		close(stuck)
		synctest.Wait()
		if n := asked.Load(); n > 3 { // by the notifier, and for the report after Stop and after Kill
			t.Errorf("asked %d times: who does not answer is not asked again", n)
		}
	})
}
