package inflight_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/inflight"
)

type key struct{}

func registered(ctx context.Context, x *inflight.Index) *inflight.Call {
	c := &inflight.Call{}
	x.Register(ctx, c, &identity.Identity{}, true)
	return c
}

func all(*identity.Identity) bool { return true }

// A context that is cancelled says so in every way that the standard library
// knows, whether somebody waited on it before or asks only then.
func TestASweptCallLooksLikeAnyCancelledContext(t *testing.T) {
	for _, waited := range []bool{false, true} {
		t.Run(fmt.Sprintf("waited on before: %t", waited), func(t *testing.T) {
			var x inflight.Index
			parent, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "v"), time.Hour)
			defer cancel()
			c := registered(parent, &x)
			defer c.Leave()
			var child context.Context
			if waited {
				var end context.CancelFunc
				child, end = context.WithTimeout(c, time.Minute)
				defer end()
			}
			if c.Err() != nil || context.Cause(c) != nil {
				t.Fatalf("before: %v, %v", c.Err(), context.Cause(c))
			}
			x.Cancel(all, errCause)
			if c.Err() != context.Canceled || context.Cause(c) != errCause { //nolint:errorlint // the very same
				t.Errorf("error %v, cause %v", c.Err(), context.Cause(c))
			}
			if child == nil {
				child = context.WithoutCancel(c)
				if child.Err() != nil {
					t.Error("a context without cancellation is cancelled")
				}
				var end context.CancelFunc
				child, end = context.WithCancel(c)
				defer end()
			}
			<-c.Done()
			<-child.Done()
			if context.Cause(child) != errCause || child.Value(key{}) != "v" {
				t.Errorf("child: cause %v, value %v", context.Cause(child), child.Value(key{}))
			}
			want, _ := parent.Deadline()
			if got, ok := c.Deadline(); !ok || !got.Equal(want) {
				t.Errorf("deadline %s", got)
			}
		})
	}
}

func TestTheFirstReasonStays(t *testing.T) {
	errFirst := errors.New("first")
	for name, test := range map[string]func(x *inflight.Index, c *inflight.Call, parent context.CancelCauseFunc){
		"the parent's": func(x *inflight.Index, _ *inflight.Call, parent context.CancelCauseFunc) {
			parent(errFirst)
			x.Cancel(all, errCause)
		},
		"a sweep's": func(x *inflight.Index, _ *inflight.Call, parent context.CancelCauseFunc) {
			x.Cancel(all, errFirst)
			parent(errCause)
			x.Cancel(all, errCause)
		},
		"the call's own": func(x *inflight.Index, c *inflight.Call, parent context.CancelCauseFunc) {
			c.Cancel(errFirst)
			x.Cancel(all, errCause)
			parent(errCause)
		},
	} {
		for _, waited := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, waited on before: %t", name, waited), func(t *testing.T) {
				var x inflight.Index
				parent, cancel := context.WithCancelCause(t.Context())
				c := registered(parent, &x)
				if waited {
					c.Done()
				}
				test(&x, c, cancel)
				c.Leave()
				<-c.Done()
				if context.Cause(c) != errFirst || c.Err() != context.Canceled { //nolint:errorlint // the very same
					t.Errorf("error %v, cause %v", c.Err(), context.Cause(c))
				}
			})
		}
	}
}

func TestACallThatLeftIsCancelledAndNotFound(t *testing.T) {
	var x inflight.Index
	c := registered(t.Context(), &x)
	c.Leave()
	if c.Err() != context.Canceled || context.Cause(c) != context.Canceled || x.Len() != 0 || x.Cancel(all, errCause) != 0 { //nolint:errorlint // the very same
		t.Errorf("error %v, cause %v, %d calls run", c.Err(), context.Cause(c), x.Len())
	}
	<-c.Done()
}

// What derives from a call ends with it, without a goroutine that waits: one
// for each query of each call would cost more than the query's time-out.
func TestADerivedContextNeedsNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var x inflight.Index
		c := registered(t.Context(), &x)
		child, cancel := context.WithTimeout(c, time.Hour)
		defer cancel()
		// A goroutine of context would still wait here, and end the test as a
		// deadlock or be found by the leak check of the package.
		x.Cancel(all, errCause)
		if child.Err() == nil {
			t.Error("the child is cancelled later, by somebody else")
		}
		c.Leave()
	})
}

func TestATextOfAContextShowsNothingOfTheCall(t *testing.T) {
	var x inflight.Index
	c := registered(t.Context(), &x)
	defer c.Leave()
	child, cancel := context.WithCancel(c)
	defer cancel()
	for _, text := range []string{fmt.Sprint(c), fmt.Sprint(child)} {
		if !strings.HasPrefix(text, "inflight.Call") {
			t.Errorf("%q", text)
		}
	}
}

// TestManyCallsComeAndGoUnderSweeps is for the race detector.
// Whoever makes slots at the same moment as another one must not lose them to
// the sweeps.
func TestCallsThatBeginAtOnceAreAllSeen(t *testing.T) {
	const callers, each = 8, 500
	for range 100 {
		var x inflight.Index
		begin := make(chan struct{})
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				<-begin
				for range each {
					registered(context.Background(), &x)
				}
			})
		}
		close(begin)
		wg.Wait()
		if n := x.Len(); n != callers*each {
			t.Fatalf("%d of %d calls are seen", n, callers*each)
		}
	}
}

func TestManyCallsComeAndGoUnderSweeps(t *testing.T) {
	var (
		x    inflight.Index
		wg   sync.WaitGroup
		stop = make(chan struct{})
	)
	for range 4 {
		wg.Go(func() {
			for range 500 {
				parent, cancel := context.WithCancel(context.Background())
				c := registered(parent, &x)
				switch rand.IntN(4) {
				case 0:
					<-c.Done() // only a sweep ends it
				case 1:
					cancel()
				case 2:
					_ = context.Cause(c)
				}
				c.Leave()
				if c.Err() == nil {
					t.Error("a call that left is not cancelled")
				}
				cancel()
			}
		})
	}
	sweeps := make(chan struct{})
	go func() {
		defer close(sweeps)
		for {
			select {
			case <-stop:
				return
			default:
				x.Cancel(all, errCause)
				runtime.Gosched()
			}
		}
	}()
	wg.Wait()
	close(stop)
	<-sweeps
	if x.Len() != 0 {
		t.Errorf("%d calls are left", x.Len())
	}
}
