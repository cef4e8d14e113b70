package supervisor

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// slot keeps one child running, generation after generation.
type slot struct {
	s      *Supervisor
	number int

	mu      sync.Mutex
	current *process // nil between two generations
	running bool     // a goroutine keeps the slot
	// hold leaves the slot stopped at the next end, again starts it at once.
	hold, again bool
	state       State
	generation  int64
	streak      int // restarts in a row
	last        *Exit
	// changed is closed and replaced whenever something above changes.
	changed chan struct{}
	// nudge ends a wait between two generations.
	nudge chan struct{}
}

func newSlot(s *Supervisor, number int) *slot {
	return &slot{s: s, number: number, changed: make(chan struct{}), nudge: make(chan struct{}, 1)}
}

// change runs f under the lock and wakes everybody who waits for the slot.
func (t *slot) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
	close(t.changed)
	t.changed = make(chan struct{})
}

// start begins to keep the slot, unless that is being done already, or the stop
// has begun: who awaits the end of the slots must not be overtaken by a start.
func (t *slot) start() {
	begin := false
	t.change(func() {
		if t.s.stopping() {
			return
		}
		begin = !t.running
		t.running, t.hold = true, false
		if begin {
			t.state = StateStarting
		}
	})
	if begin {
		t.s.work.Go(t.keep)
	}
}

// keep runs generations until the slot is to stay stopped.
func (t *slot) keep() {
	for {
		exit := t.generate()
		if t.s.spec.OnExit != nil {
			t.s.spec.OnExit(exit)
		}
		wait, again := t.next(exit)
		if !again {
			return
		}
		t.pause(wait)
		if t.leave() {
			return
		}
	}
}

// leave ends the keeping of the slot if it was stopped between generations.
func (t *slot) leave() bool {
	var leave bool
	t.change(func() {
		if leave = t.s.stopping() || t.hold; leave {
			t.running, t.state = false, StateStopped
		}
	})
	return leave
}

// generate runs one generation to its end.
func (t *slot) generate() Exit {
	t.change(func() {
		t.generation++
		t.state, t.again = StateStarting, false
	})
	id := identity{slot: t.number, generation: t.generation, heartbeat: t.s.spec.Heartbeat, orphanGrace: t.s.spec.OrphanGrace}
	p, err := t.s.spawn(id)
	if err != nil {
		exit := startFailure(&t.s.spec, id, err)
		t.ended(exit)
		return exit
	}
	t.change(func() { t.current = p })
	p.work.Go(func() { t.follow(p) })
	exit := p.run()
	t.ended(exit)
	return exit
}

// follow tells a new process what was asked of the slot while it was being
// started, and the slot when the process is ready.
func (t *slot) follow(p *process) {
	var hold, again bool
	t.change(func() { hold, again = t.hold, t.again })
	switch {
	case t.s.stopping():
		p.ask(t.s.lastOrder())
	case hold || again:
		p.ask(p.order(StepDrain, time.Now().Add(t.s.spec.StopTimeout)))
	}
	select {
	case <-p.ready:
		t.change(func() {
			if t.state == StateStarting {
				t.state = StateReady
			}
		})
	case <-p.gone:
	}
}

// ask tells the running process, if there is one, to stop.
func (t *slot) ask(o order) {
	var p *process
	t.change(func() {
		if p = t.current; p != nil {
			t.state = StateStopping
		}
	})
	if p != nil {
		p.ask(o)
	}
}

// wake ends a pause between generations.
func (t *slot) wake() {
	select {
	case t.nudge <- struct{}{}:
	default:
	}
}

// awaitReady waits until a generation after before is ready.
func (t *slot) awaitReady(ctx context.Context, before int64) error {
	var stopped bool
	err := t.await(ctx, func() bool {
		stopped = !t.running
		return stopped || t.state == StateReady && t.generation > before
	})
	if err != nil || !stopped {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != nil {
		return t.s.spec.refuse(fmt.Errorf("%w: %v", ErrNotReady, *t.last))
	}
	return t.s.spec.refuse(ErrNotReady)
}

// await waits until done, called under the lock, returns true.
func (t *slot) await(ctx context.Context, done func() bool) error {
	for {
		t.mu.Lock()
		ok, changed := done(), t.changed
		t.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// status is the slot now.
func (t *slot) status() Status {
	t.mu.Lock()
	s := Status{Name: t.s.spec.Name, Slot: t.number, Generation: t.generation, State: t.state, LastExit: t.last}
	p := t.current
	t.mu.Unlock()
	if p == nil {
		return s
	}
	s.Pid = p.os.Pid
	p.mu.Lock()
	defer p.mu.Unlock()
	s.InFlight, s.Oldest, s.Progress = p.vitals.inFlight, p.vitals.oldest, p.vitals.progress
	s.Heartbeat, s.Drained = p.heard, p.calm
	return s
}

// ended records the end of a generation.
func (t *slot) ended(exit Exit) {
	t.change(func() {
		t.current, t.last = nil, &exit
		if exit.Ready && exit.Ran > t.s.spec.Restart.Max {
			t.streak = 0
		}
	})
	t.s.record(exit)
}

// next decides what comes after a generation and how long to wait before.
func (t *slot) next(exit Exit) (wait time.Duration, again bool) {
	policy := t.s.spec.Restart
	var exhausted bool
	t.change(func() {
		switch {
		case t.s.stopping() || t.hold:
			again = false
		case t.again:
			again = true
		case policy.Never:
			again = false
		case !t.s.allow():
			exhausted = true
		default:
			wait, again = policy.backoff(t.streak, jitter()), true
			t.streak++
		}
		t.running = again
		t.state = StateStopped
		if again {
			t.state = StateBackoff
		}
	})
	if exhausted {
		t.s.fail(fmt.Errorf("%w: the last was %v", ErrIntensity, exit))
	}
	return wait, again
}

// pause waits before the next generation. A stop, Stop and Restart end it.
func (t *slot) pause(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.nudge: // perhaps one of an earlier pause: then this one is short
	case <-t.s.halt:
	}
}
