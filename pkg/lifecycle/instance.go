package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"
)

// instance is a part in a group: the part and how far it has come. Each of its functions runs in a goroutine of its
// own, since none of them can be trusted to return.
type instance struct {
	g    *Group
	part Part

	startBegun bool // guarded by Group.mu: somebody has called runStart, or will
	givenUp    bool // guarded by Group.mu: Add has returned ErrStartTimeout, so the part counts nowhere but in the stop
	startDone  chan struct{}
	startErr   error // readable once startDone is closed

	asked atomic.Bool // by the forecast, which has no answer yet

	stopOnce sync.Once
	killOnce sync.Once
	stopDone chan struct{}

	mu       sync.Mutex
	progress string // what Start said last
	health   examination
	finished time.Time // when Stop returned
	stopErr  error
	skipped  bool   // never started, so there was nothing to stop
	given    bool   // abandoned: a Stop that has not begun must not begin any more
	stack    string // of an abandoned part
	before   *int64
	after    *int64
	estimate *Duration
	stuck    []string
}

func newInstance(g *Group, p Part) *instance {
	return &instance{g: g, part: p, startDone: make(chan struct{}), stopDone: make(chan struct{})}
}

// labelled runs f in this goroutine with labels that the stack of an abandoned part is found by. Goroutines that f
// starts inherit them.
func (in *instance) labelled(ctx context.Context, f func(context.Context)) {
	pprof.Do(ctx, pprof.Labels(labelGroup, in.g.id, labelPart, in.part.Name, labelPhase, in.part.Phase.String()), f)
}

// guard calls f and turns a panic, or the end of its goroutine by runtime.Goexit, into an error for done, which is
// called in any case.
func guard(f func() error, done func(error)) {
	err, returned := error(nil), false
	defer func() {
		if returned {
			done(err)
			return
		}
		if v := recover(); v != nil {
			done(recovered(v))
			return
		}
		done(errGoexit)
	}()
	err = f()
	returned = true
}

// safely calls f and turns a panic into an error.
func safely(f func() error) (err error) {
	guard(f, func(e error) { err = e })
	return err
}

var errGoexit = errors.New("the goroutine ended by runtime.Goexit")

// failed reports whether Start returned an error. It may be asked once startDone is closed.
func (in *instance) failed() bool { return in.startErr != nil }

// runStop lets the part stop, once; whoever comes later waits on the same stopDone.
func (in *instance) runStop(ctx context.Context) {
	in.stopOnce.Do(func() {
		go in.labelled(ctx, func(ctx context.Context) {
			guard(func() error { return in.stop(ctx) }, func(err error) {
				in.mu.Lock()
				in.stopErr, in.finished = err, time.Now()
				in.mu.Unlock()
				close(in.stopDone)
			})
		})
	})
}

func (in *instance) stop(ctx context.Context) error {
	p := &in.part
	if p.Start != nil {
		in.g.mu.Lock()
		begun := in.startBegun
		in.startBegun = true // from here on nobody starts it
		in.g.mu.Unlock()
		if !begun {
			in.skip()
			return nil
		}
		<-in.startDone // a Start that ignores its context is found by the watchdog of this stop
		if in.failed() {
			in.skip() // the failure is the cause of the stop, or the stop the cause of the failure
			return nil
		}
	}
	// What a part says about itself may fail without harm to its Stop.
	asked := safely(func() error {
		if p.EstimateDrain != nil {
			d := Duration(p.EstimateDrain())
			in.mu.Lock()
			in.estimate = &d
			in.mu.Unlock()
		}
		in.count(&in.before)
		return nil
	})
	in.mu.Lock()
	given := in.given
	in.mu.Unlock()
	if given {
		return nil
	}
	err := safely(func() error {
		switch {
		case p.Stop != nil:
			return p.Stop(ctx)
		case p.Remaining != nil:
			return waitEmpty(ctx, p.Remaining)
		}
		return nil
	})
	left := safely(func() error {
		left := in.count(&in.after)
		if left != 0 || ctx.Err() != nil {
			in.name()
		}
		if left != 0 {
			return fmt.Errorf("%w: %d", ErrRemaining, left)
		}
		return nil
	})
	return cmp.Or(err, left, asked)
}

// kill calls Kill in a goroutine, once, and then asks what is left.
func (in *instance) kill() {
	in.killOnce.Do(func() {
		go guard(func() error {
			if in.part.Kill != nil {
				in.part.Kill()
			}
			return nil
		}, func(error) {})
		go guard(func() error {
			in.name()
			in.count(&in.after)
			return nil
		}, func(error) {})
	})
}

// name stores what Stuck says.
func (in *instance) name() {
	if in.part.Stuck == nil {
		return
	}
	stuck := in.part.Stuck()
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stuck = stuck[:min(len(stuck), maxStuck)]
}

// count stores what Remaining says and returns it.
func (in *instance) count(into **int64) int64 {
	if in.part.Remaining == nil {
		return 0
	}
	n := in.part.Remaining()
	in.mu.Lock()
	defer in.mu.Unlock()
	*into = &n
	return n
}

func (in *instance) skip() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.skipped = true
}

// pollInterval is how often a part that has only Remaining is asked.
const pollInterval = 10 * time.Millisecond

func waitEmpty(ctx context.Context, remaining func() int64) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for remaining() != 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
