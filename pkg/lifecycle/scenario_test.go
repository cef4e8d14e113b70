package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// A scenario is a random group and what happens to it. It is made from a seed alone, so a failure can be run again.
type scenario struct {
	plan    plan
	parts   []*actor
	workers []*actor // goroutines of Group.Go
	events  []event
	frozen  bool // nobody reads the report
	startBy time.Duration
}

type plan struct {
	grace, preStop, propagation, reserve time.Duration
	floor, limit                         [7]time.Duration // by phase
}

type event struct {
	at   time.Duration
	kind string // signal, shutdown, failure, cancel, status
}

// behaviour of a Start, Stop, Kill or goroutine.
type behaviour string

const (
	absent  behaviour = "absent"
	finish  behaviour = "finish"  // takes a while, obeys its context
	overrun behaviour = "overrun" // takes a while, ignores its context
	hang    behaviour = "hang"    // ignores everything
	untilK  behaviour = "until killed"
	fails   behaviour = "fails"
	panics  behaviour = "panics"
	goexits behaviour = "goexits"
)

// actor is a part that acts as it was told and writes down what happened to it.
type actor struct {
	name         string
	phase        lifecycle.Phase
	start, stop  behaviour
	kill         behaviour
	startD, stpD time.Duration
	left         int64 // what Remaining says in the end, -1 for no Remaining

	release <-chan struct{} // closed when the test is over
	killed  chan struct{}

	mu  sync.Mutex
	log actorLog
}

type actorLog struct {
	started            bool // Start returned nil
	startedAt          time.Time
	startCalls         int
	stopCalls          int
	stopAt, stopUntil  time.Time // Stop was called, and until when its context said
	doneAt             time.Time // Stop returned
	cutAt              time.Time // the context of Stop ended
	killAt             time.Time
	returnedErr, fatal bool
}

var errActor = errors.New("actor failed")

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// span is a random time on a coarse grid, so that things happen at the same instant often enough.
func span(r *rand.Rand, limit time.Duration) time.Duration {
	if r.IntN(4) == 0 {
		return 0
	}
	const grid = 50 * time.Millisecond
	return time.Duration(r.Int64N(int64(limit/grid)+1)) * grid
}

func newScenario(r *rand.Rand, release <-chan struct{}) *scenario {
	s := &scenario{frozen: r.IntN(20) == 0, startBy: pick(r, time.Minute, time.Second, 50*time.Millisecond+span(r, 8*time.Second))}
	p := &s.plan
	p.grace = 8*time.Second + span(r, 30*time.Second)
	p.preStop = pick(r, 0, 0, span(r, 3*time.Second))
	p.propagation = pick(r, 0, 0, span(r, 6*time.Second))
	p.reserve = pick(r, 2*time.Second, 2*time.Second, span(r, 3*time.Second))
	most := pick(r, 500*time.Millisecond, time.Second, 2*time.Second)
	for ph := lifecycle.Announce; ph <= lifecycle.Close; ph++ {
		p.floor[ph] = span(r, most)
		if r.IntN(2) == 0 {
			p.limit[ph] = p.floor[ph] + span(r, 4*time.Second) + time.Millisecond
		}
	}
	for i := range r.IntN(9) {
		s.parts = append(s.parts, newActor(r, fmt.Sprintf("part%d", i), release))
	}
	for i := range r.IntN(3) {
		a := newActor(r, fmt.Sprintf("worker%d", i), release)
		a.phase = lifecycle.Drain
		a.start = pick(r, finish, finish, finish, finish, finish, finish, overrun, hang, fails, panics, goexits)
		s.workers = append(s.workers, a)
	}
	at := span(r, 5*time.Second)
	for range 1 + r.IntN(6) {
		s.events = append(s.events, event{at: at, kind: pick(r, "signal", "signal", "signal", "signal", "signal", "shutdown", "failure", "cancel", "status", "status")})
		at += span(r, pick(r, time.Second, 6*time.Second, 15*time.Second))
	}
	return s
}

func newActor(r *rand.Rand, name string, release <-chan struct{}) *actor {
	return &actor{
		name:  name,
		phase: pick(r, lifecycle.Announce, lifecycle.IntakeOff, lifecycle.Drain, lifecycle.Commit, lifecycle.Commit, lifecycle.Leave, lifecycle.Close),
		start: pick(r, absent, absent, absent, absent, finish, finish, finish, finish, finish, finish, finish, finish, finish, finish, finish, finish, overrun, hang, untilK, fails, panics, goexits),
		stop:  pick(r, finish, finish, finish, finish, finish, finish, finish, finish, finish, overrun, overrun, overrun, hang, untilK, untilK, fails, panics, goexits),
		kill:  pick(r, absent, finish, finish, finish, hang, panics),
		left:  pick[int64](r, -1, -1, 0, 0, 0, 3),

		startD:  pick(r, 0, span(r, time.Second), span(r, 10*time.Second)),
		stpD:    pick(r, 0, span(r, time.Second), span(r, 30*time.Second)),
		release: release,
		killed:  make(chan struct{}),
	}
}

// act is what a Start, a Stop or a goroutine does.
func (a *actor) act(ctx context.Context, b behaviour, d time.Duration) error {
	wait := time.NewTimer(d)
	defer wait.Stop()
	switch b {
	case hang:
		<-a.release
		return nil
	case untilK:
		select {
		case <-a.killed:
		case <-a.release:
		}
		return nil
	case overrun:
		select {
		case <-wait.C:
		case <-a.release:
		}
		return nil
	case absent, finish, fails, panics, goexits:
	}
	select {
	case <-wait.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	switch b {
	case fails:
		return errActor
	case panics:
		panic(errActor)
	case goexits:
		runtime.Goexit()
	case absent, finish, overrun, hang, untilK:
	}
	return nil
}

func (a *actor) part() lifecycle.Part {
	p := lifecycle.Part{Name: a.name, Phase: a.phase, Stop: a.doStop}
	if a.start != absent {
		p.Start = a.doStart
	} else {
		a.log.started = true
	}
	if a.kill != absent {
		p.Kill = a.doKill
	}
	if a.left >= 0 {
		p.Remaining = func() int64 {
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.log.stopCalls == 0 {
				return 7
			}
			return a.left
		}
	}
	return p
}

func (a *actor) doStart(ctx context.Context) error {
	a.mu.Lock()
	a.log.startCalls++
	a.mu.Unlock()
	err := a.act(ctx, a.start, a.startD)
	if err == nil {
		a.mu.Lock()
		a.log.started, a.log.startedAt = true, time.Now()
		a.mu.Unlock()
	}
	return err
}

func (a *actor) doStop(ctx context.Context) error {
	a.mu.Lock()
	a.log.stopCalls++
	a.log.stopAt = time.Now()
	a.log.stopUntil, _ = ctx.Deadline()
	a.mu.Unlock()
	defer context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.log.doneAt.IsZero() {
			a.log.cutAt = time.Now()
		}
	})()
	fatal := true
	var err error
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.log.doneAt, a.log.fatal, a.log.returnedErr = time.Now(), fatal, err != nil
	}()
	err = a.act(ctx, a.stop, a.stpD)
	fatal = false
	return err
}

func (a *actor) doKill() {
	a.mu.Lock()
	a.log.killAt = time.Now()
	a.mu.Unlock()
	close(a.killed)
	switch a.kill {
	case hang:
		<-a.release
	case panics:
		panic(errActor)
	case absent, finish, overrun, untilK, fails, goexits:
	}
}

func (a *actor) snapshot() actorLog {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.log
}
