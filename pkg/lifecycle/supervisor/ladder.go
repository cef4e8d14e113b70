package supervisor

import (
	"sync"
	"time"
)

// order asks a ladder to climb to a step.
type order struct {
	step Step
	// until is when Drain gives way to force; read with StepDrain only.
	until time.Time
	// term and quit are the times on the steps of these names.
	term, quit time.Duration
}

// ladder is the escalation for one child: Drain, SIGTERM, SIGQUIT, SIGKILL. It
// only climbs. An order for a higher step takes it there at once, one for Drain
// while it drains changes the time of that; any other begins the wait on the
// current step anew with the times of the order.
type ladder struct {
	// act does a step; it must not block. until is as in order.
	act func(step Step, until time.Time)
	// gone is closed when the process has ended.
	gone <-chan struct{}

	orders chan order

	mu   sync.Mutex
	step Step
}

func newLadder(gone <-chan struct{}, act func(Step, time.Time)) *ladder {
	return &ladder{act: act, gone: gone, orders: make(chan order)}
}

// climb hands over an order; it returns at once if the process has ended.
func (l *ladder) climb(o order) {
	select {
	case l.orders <- o:
	case <-l.gone:
	}
}

// reached returns the step that was taken last.
func (l *ladder) reached() Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.step
}

// run serves orders until the process has ended.
func (l *ladder) run() {
	var (
		timer = time.NewTimer(0)
		o     order
	)
	<-timer.C
	for {
		select {
		case <-l.gone:
			timer.Stop()
			return
		case next := <-l.orders:
			step := l.reached()
			switch {
			case next.step > step || step == StepDrain && next.step == step:
				o = next
				l.take(next.step, o, timer)
			default:
				o.term, o.quit = next.term, next.quit
				l.wait(step, o, timer)
			}
		case <-timer.C:
			l.take(l.reached()+1, o, timer)
		}
	}
}

func (l *ladder) take(step Step, o order, timer *time.Timer) {
	l.mu.Lock()
	l.step = step
	l.mu.Unlock()
	l.act(step, o.until)
	l.wait(step, o, timer)
}

// wait sets the time that is spent on a step.
func (l *ladder) wait(step Step, o order, timer *time.Timer) {
	switch step {
	case StepDrain:
		timer.Reset(time.Until(o.until))
	case StepTerm:
		timer.Reset(o.term)
	case StepQuit:
		timer.Reset(o.quit)
	default:
		timer.Stop()
	}
}
