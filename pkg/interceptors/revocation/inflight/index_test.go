package inflight_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/inflight"
)

var errCause = errors.New("cause")

func TestASweepCancelsWhatMatchesWithItsCauseAndNothingElse(t *testing.T) {
	var x inflight.Index
	a, doneA := x.Enter(t.Context(), &identity.Identity{Subject: "a"}, true)
	b, doneB := x.Enter(t.Context(), &identity.Identity{Subject: "b"}, false)
	defer doneB()
	isA := func(id *identity.Identity) bool { return id.Subject == "a" }
	if n := x.Cancel(isA, errCause); n != 1 {
		t.Errorf("%d calls cancelled", n)
	}
	if context.Cause(a) != errCause || b.Err() != nil {
		t.Errorf("a: %v, b: %v", context.Cause(a), b.Err())
	}
	if x.Len() != 2 {
		t.Errorf("%d calls run: a cancelled one runs until it returns", x.Len())
	}
	doneA()
	if n := x.Cancel(isA, errCause); n != 0 || x.Len() != 1 {
		t.Errorf("%d calls cancelled and %d run after the end of a", n, x.Len())
	}
}

func TestOnlyFailClosedCallsEndWithTheLease(t *testing.T) {
	var x inflight.Index
	closed, done := x.Enter(t.Context(), &identity.Identity{}, true)
	defer done()
	bounded, done2 := x.Enter(t.Context(), &identity.Identity{}, false)
	defer done2()
	if n := x.CancelFailClosed(errCause); n != 1 || context.Cause(closed) != errCause || bounded.Err() != nil {
		t.Errorf("%d cancelled; fail-closed %v, bounded %v", n, context.Cause(closed), bounded.Err())
	}
}

func TestAContextOfACallEndsWithTheCall(t *testing.T) {
	var x inflight.Index
	ctx, done := x.Enter(t.Context(), &identity.Identity{}, true)
	done()
	if ctx.Err() == nil {
		t.Error("the context goes on")
	}
}

// TestNoCallEscapes is the order "register, then check" against "publish, then
// sweep": whichever comes first, the call is refused or cancelled.
func TestNoCallEscapesBetweenPublishingAndSweeping(t *testing.T) {
	for range 500 {
		var (
			x         inflight.Index
			published atomic.Bool
			wg        sync.WaitGroup
			calls     [8]context.Context
		)
		begin := make(chan struct{})
		for i := range calls {
			wg.Go(func() {
				<-begin
				ctx, _ := x.Enter(context.Background(), &identity.Identity{}, true)
				if !published.Load() {
					calls[i] = ctx // admitted
				}
			})
		}
		wg.Go(func() {
			<-begin
			published.Store(true)
			x.Cancel(func(*identity.Identity) bool { return true }, errCause)
		})
		close(begin)
		wg.Wait()
		for _, ctx := range calls {
			if ctx != nil && ctx.Err() == nil {
				t.Fatal("a call was admitted and not cancelled")
			}
		}
	}
}

func BenchmarkEnter(b *testing.B) {
	var x inflight.Index
	id := &identity.Identity{}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, done := x.Enter(context.Background(), id, true)
			done()
		}
	})
}
