package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor/internal/warden"
)

// Supervisor keeps the children of one [Spec] running. Make one with [Add]. Its
// methods are safe for concurrent use.
type Supervisor struct {
	spec  Spec
	group *lifecycle.Group
	parts []string
	slots []*slot
	work  sync.WaitGroup // the goroutines that keep slots
	halt  chan struct{}  // closed when the stop begins

	mu        sync.Mutex
	spawner   *spawner // nil before the start and after the end
	post      *warden.Post
	release   []func() // what the start took for all children
	intensity intensity
	order     order  // what the stop asks of every child
	unclean   []Exit // ends since the stop began that were not clean
}

// Add adds children to a group, which starts them when it runs, or now if it
// runs already: then Add returns when all are ready. The parts are named after
// the spec: NAME.start, NAME.intake, NAME.drain and NAME.reap.
//
// A child that can't be made ready fails the start; one that keeps dying later
// stops the group with [ErrIntensity].
func Add(g *lifecycle.Group, spec Spec) (*Supervisor, error) {
	spec, err := spec.complete()
	if err != nil {
		return nil, err
	}
	s := &Supervisor{
		spec:      spec,
		group:     g,
		halt:      make(chan struct{}),
		intensity: intensity{limit: spec.Restart.Intensity, period: spec.Restart.Period},
	}
	for i := range spec.Slots {
		s.slots = append(s.slots, newSlot(s, i))
	}
	for _, part := range s.lifecycleParts() {
		if err := g.Add(part); err != nil {
			ctx, cancel := context.WithTimeout(context.Background(), spec.StopTimeout)
			defer cancel()
			return nil, errors.Join(spec.refuse(err), s.Close(ctx))
		}
		s.parts = append(s.parts, part.Name)
	}
	return s, nil
}

// Children returns the status of every slot.
func (s *Supervisor) Children() []Status {
	list := make([]Status, len(s.slots))
	for i, t := range s.slots {
		list[i] = t.status()
	}
	return list
}

// Stop stops the child of a slot, which then stays stopped until Restart. It
// returns when the process is reaped, or with the cause of ctx. Drain gets the
// time until the deadline of ctx, at most [Spec.StopTimeout].
func (s *Supervisor) Stop(ctx context.Context, slot int) error {
	t, err := s.slot(slot)
	if err != nil {
		return err
	}
	t.change(func() { t.hold, t.again = true, false })
	t.wake()
	t.ask(s.drainOrder(ctx))
	return t.await(ctx, func() bool { return !t.running })
}

// Restart stops the child of a slot as Stop does, and starts it again at once;
// it starts a slot that is stopped. It does not count against the intensity. It
// returns when the new generation is ready, or with the cause of ctx.
func (s *Supervisor) Restart(ctx context.Context, slot int) error {
	t, err := s.slot(slot)
	if err != nil {
		return err
	}
	if s.stopping() {
		return s.spec.refuse(ErrStopping)
	}
	var before int64
	t.change(func() {
		before = t.generation
		t.again, t.hold = true, false
	})
	t.wake()
	t.ask(s.drainOrder(ctx))
	t.start()
	return t.awaitReady(ctx, before)
}

// Close stops all children and takes the parts out of the group, for children
// that are needed for a while only. In a group that is stopping it waits for
// that. The error is that of the stop.
func (s *Supervisor) Close(ctx context.Context) error {
	var errs []error
	for _, part := range slices.Backward(s.parts) {
		errs = append(errs, s.group.Remove(ctx, part))
	}
	return errors.Join(errs...)
}

func (s *Supervisor) slot(number int) (*slot, error) {
	if number < 0 || number >= len(s.slots) {
		return nil, s.spec.refuse(fmt.Errorf("%w: %d", ErrNoSlot, number))
	}
	return s.slots[number], nil
}

// drainOrder is a Drain until the deadline of ctx, at most StopTimeout.
func (s *Supervisor) drainOrder(ctx context.Context) order {
	until := time.Now().Add(s.spec.StopTimeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(until) {
		until = deadline
	}
	return order{step: StepDrain, until: until, term: s.spec.TermTimeout, quit: s.spec.QuitTimeout}
}

// stopping tells whether the stop has begun.
func (s *Supervisor) stopping() bool { return isClosed(s.halt) }

// spawn starts a process of a slot.
func (s *Supervisor) spawn(id identity) (*process, error) {
	s.mu.Lock()
	spawner, post := s.spawner, s.post
	s.mu.Unlock()
	if spawner == nil {
		return nil, ErrStopping
	}
	return startProcess(spawner, post, &s.spec, id)
}

// allow counts a restart and reports whether the policy allows it.
func (s *Supervisor) allow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.intensity.allow(time.Now())
}

// fail stops the group.
func (s *Supervisor) fail(err error) { s.group.Shutdown(s.spec.refuse(err)) }

// record logs the end of a generation, and keeps it for the report if it
// belongs to the stop and was not clean.
func (s *Supervisor) record(exit Exit) {
	log := s.spec.Log.With("supervisor", exit.Name, "slot", exit.Slot, "generation", exit.Generation,
		"pid", exit.Pid, "reason", exit.Reason, "step", exit.Step.String(), "code", exit.Code, "ran", exit.Ran)
	if exit.Signal != 0 {
		log = log.With("signal", exit.Signal.String())
	}
	if exit.Err == nil && !exit.Forced() && exit.Reason == ReasonStopped {
		log.Info("child ended")
		return
	}
	if exit.Stacks != "" {
		log = log.With("stacks", exit.Stacks)
	}
	log.Warn("child ended", "error", exit.Err)
	if s.stopping() {
		s.mu.Lock()
		s.unclean = append(s.unclean, exit)
		s.mu.Unlock()
	}
}
