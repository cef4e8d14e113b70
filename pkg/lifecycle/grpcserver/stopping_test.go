package grpcserver_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
)

// follow opens streams that last until the server stops, over a few connections.
func follow(t *testing.T, f *fixture, n int) {
	t.Helper()
	c := newClients(t, f)
	t.Cleanup(c.close)
	conn := c.conn()
	for range n {
		openStream(c.ctx, t, conn, "follow")
	}
}

func TestAThousandStreamsAreToldOneAfterTheOther(t *testing.T) {
	for name, c := range map[string]struct {
		opts    []lifecycle.Option
		gap     time.Duration
		atLeast time.Duration
		atMost  time.Duration
	}{
		"ten milliseconds apart":          {nil, 10 * time.Millisecond, 9 * time.Second, 11 * time.Second},
		"within half of what is to drain": {[]lifecycle.Option{lifecycle.WithBudget(lifecycle.Drain, time.Second, 2*time.Second)}, time.Millisecond, 900 * time.Millisecond, 1100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil, c.opts...)
				wait := f.run(t.Context())
				const streams = 1000
				follow(t, f, streams)
				synctest.Wait() // until all of them listen
				begin := time.Now()
				f.g.Shutdown(nil)
				if err := wait(); err != nil {
					t.Error(err)
				}
				if took := time.Since(begin); took < c.atLeast || took > c.atMost {
					t.Errorf("took %v", took)
				}
				told := f.work.notices()
				if len(told) != streams {
					t.Fatalf("%d of %d streams were told", len(told), streams)
				}
				for i := range told[1:] {
					if gap := told[i+1].Sub(told[i]); gap < c.gap/2 {
						t.Fatalf("notices %d and %d are %v apart", i, i+1, gap)
					}
				}
			})
		})
	}
}

func TestAFewStreamsDelayAStopByMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		stream := openStream(t.Context(), t, conn, "follow")
		poll := call(t.Context(), conn, "follow")
		synctest.Wait()
		begin := time.Now()
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 50*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if err := stream.RecvMsg(nil); status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "stopping, try elsewhere" {
			t.Errorf("the client of the stream got %v", err)
		}
		if err := <-poll; status.Convert(err).Message() != "stopping, try elsewhere" {
			t.Errorf("the client of the long poll got %v", err)
		}
	})
}

func TestNoStreamIsToldBeforeItsClientGotGoaway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil, lifecycle.WithPropagation(3*time.Second))
		wait := f.run(t.Context())
		follow(t, f, 3)
		begin := time.Now()
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
		if told := f.work.notices(); len(told) != 3 || told[0].Sub(begin) < 3*time.Second {
			t.Errorf("%d were told, while new streams were still taken", len(told))
		}
	})
}

func TestACallThatAsksWhileTheServerStopsIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		done := call(t.Context(), conn, "late")
		synctest.Wait()
		begin := time.Now()
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
		if told := f.work.notices(); len(told) != 1 || told[0].Sub(begin) != 2*time.Second {
			t.Errorf("told at %v after the beginning at %v", told, begin)
		}
		<-done
	})
}

func TestASecondSignalCutsStreamsThatWereNotToldYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		follow(t, f, 1000)
		f.g.Signal(syscall.SIGTERM)
		<-time.After(3 * time.Second)
		begin := time.Now()
		f.g.Signal(syscall.SIGTERM)
		if code := lifecycle.ExitCode(wait()); code != lifecycle.ExitDeadline {
			t.Errorf("exit code %d", code)
		}
		if took := time.Since(begin); took > 100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if told := len(f.work.notices()); told < 290 || told > 310 {
			t.Errorf("%d were told", told)
		}
	})
}

func TestTheContextThatWaitsForTheStopEndsWithItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		ctx, cancel := context.WithCancel(t.Context())
		done := call(ctx, conn, "follow")
		synctest.Wait()
		cancel()
		if err := <-done; status.Code(err) != codes.Canceled {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if n := f.work.count(); n != 0 {
			t.Errorf("%d handlers run", n)
		}
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
		if told := f.work.notices(); len(told) != 0 {
			t.Errorf("a call that had ended was told at %v", told)
		}
	})
}

func TestACallThatHasEndedCanNotWaitForTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		if err := <-call(t.Context(), conn, "1ms"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		kept := f.work.last()
		if ctx := grpcserver.Stopping(context.WithoutCancel(kept)); !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("%v", ctx.Err())
		}
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestACallThatAsksForEachMessageGetsTheSameContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		wait := f.run(t.Context())
		conn := f.dial(t)
		defer conn.Close()
		done := call(t.Context(), conn, "2s")
		synctest.Wait()
		ctx := f.work.last()
		type key struct{}
		for of, ctx := range map[string]context.Context{"the call": ctx, "an interceptor": context.WithValue(ctx, key{}, 1)} {
			first := grpcserver.Stopping(ctx)
			if grpcserver.Stopping(ctx) != first || first.Value(key{}) != ctx.Value(key{}) || first.Err() != nil {
				t.Errorf("the context of %s has several", of)
			}
		}
		// A context that can't be compared is none that was seen before.
		odd := oddContext{ctx, nil}
		if a, b := grpcserver.Stopping(odd), grpcserver.Stopping(odd); a == b || a.Err() != nil {
			t.Errorf("%v, %v", a, b)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		f.g.Shutdown(nil)
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
}

// oddContext is a context that == panics on.
type oddContext struct {
	context.Context //nolint:containedctx // it is one

	_ []int
}

func TestWithoutATrackerTheContextOfTheCallIsAllThereIs(t *testing.T) {
	if ctx := grpcserver.Stopping(t.Context()); ctx != t.Context() {
		t.Errorf("got %v", ctx)
	}
}
