package supervisor

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor/internal/warden"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor/reaper"
)

// killMargin is kept at the end of a phase for SIGKILL and reaping.
const killMargin = 100 * time.Millisecond

// lifecycleParts are the parts of a supervisor, in the order in which they are
// added. Start and stop are different parts: a part whose start failed is not
// stopped, but children that were started must be.
func (s *Supervisor) lifecycleParts() []lifecycle.Part {
	name, phase := s.spec.Name, s.spec.StopPhase
	reap := lifecycle.Part{Name: name + ".reap", Phase: lifecycle.Close, Stop: s.stopReap, Kill: s.kill}
	drain := lifecycle.Part{
		Name: name + ".drain", Phase: phase,
		Stop: s.stopDrain, Remaining: s.remaining, Stuck: s.stuck,
	}
	start := lifecycle.Part{Name: name + ".start", Phase: phase, Start: s.start}
	switch phase {
	case lifecycle.IntakeOff:
		drain.Phase, start.Phase = lifecycle.Drain, lifecycle.Drain
		intake := lifecycle.Part{Name: name + ".intake", Phase: lifecycle.IntakeOff, Stop: s.stopIntake}
		return []lifecycle.Part{reap, drain, intake, start}
	case lifecycle.Close:
		// Parts of one phase stop side by side: reaping must come after.
		drain.Stop, drain.Kill = s.stopAll, s.kill
		return []lifecycle.Part{drain, start}
	default:
		return []lifecycle.Part{reap, drain, start}
	}
}

// equip gets what all children share.
func (s *Supervisor) equip() {
	spawner := newSpawner()
	post, dismiss := warden.Hold(s.spec.Log, environment(os.Environ()))
	release := []func(){spawner.close, dismiss}
	if stop, err := reaper.Hold(s.spec.Log); err == nil {
		release = append(release, stop)
	} else {
		// Zombies are a lesser evil than lost statuses.
		s.spec.Log.Warn("orphans are not reaped", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spawner, s.post, s.release = spawner, post, release
}

// start starts every slot and returns when all children are ready.
func (s *Supervisor) start(ctx context.Context) error {
	s.equip()
	for _, t := range s.slots {
		t.start()
	}
	for _, t := range s.slots {
		if err := t.awaitReady(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// stopIntake tells the children to drain and does not wait.
func (s *Supervisor) stopIntake(context.Context) error {
	plan := s.group.Plan()
	budget := s.group.Remaining()
	for _, ph := range []lifecycle.Phase{lifecycle.Commit, lifecycle.Leave, lifecycle.Close} {
		budget -= plan.Budget(ph).Min
	}
	if limit := plan.Budget(lifecycle.Drain).Max; limit > 0 {
		budget = min(budget, limit)
	}
	s.tell(s.plan(max(0, budget)))
	return nil
}

// stopDrain waits for the end of the children, and forces them in time.
func (s *Supervisor) stopDrain(ctx context.Context) error {
	s.drain(ctx)
	return s.outcome()
}

func (s *Supervisor) drain(ctx context.Context) {
	s.tell(s.plan(s.budget(ctx)))
	if s.await(ctx) != nil {
		// The phase was cut short, or the children are beyond SIGKILL.
		s.tell(order{step: StepTerm, term: s.spec.TermTimeout, quit: s.spec.QuitTimeout})
	}
}

// stopReap ends whatever is left, and the supervisor itself.
func (s *Supervisor) stopReap(ctx context.Context) error {
	force := s.budget(ctx) - killMargin
	s.tell(order{step: StepTerm, term: force / 2, quit: force / 2})
	if err := s.await(ctx); err != nil {
		s.kill()
		return s.outcome()
	}
	s.work.Wait()
	s.mu.Lock()
	release := s.release
	s.spawner, s.post, s.release = nil, nil, nil
	s.mu.Unlock()
	for _, f := range release {
		f()
	}
	return s.outcome()
}

// stopAll is the stop in one phase. However the children ended, or if they did
// not, reaping follows, and its outcome is that of both.
func (s *Supervisor) stopAll(ctx context.Context) error {
	s.drain(ctx)
	return s.stopReap(ctx)
}

// plan divides the time of a phase: Drain until force has to begin, then half
// of it at most for SIGTERM, SIGQUIT, SIGKILL and reaping.
func (s *Supervisor) plan(budget time.Duration) order {
	term, quit, margin := s.spec.TermTimeout, s.spec.QuitTimeout, killMargin
	if force := term + quit + margin; force > budget/2 {
		shrink := float64(budget/2) / float64(force)
		term = time.Duration(float64(term) * shrink)
		quit = time.Duration(float64(quit) * shrink)
		margin = time.Duration(float64(margin) * shrink)
	}
	until := time.Now().Add(budget - term - quit - margin)
	return order{step: StepDrain, until: until, term: term, quit: quit}
}

// budget is the time until the deadline of ctx.
func (s *Supervisor) budget(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(0, time.Until(deadline))
	}
	return s.spec.StopTimeout
}

// tell begins the stop, or goes on with it: every child gets the order, also
// one that is being started now.
func (s *Supervisor) tell(o order) {
	s.mu.Lock()
	s.order = o
	if !isClosed(s.halt) {
		close(s.halt)
	}
	s.mu.Unlock()
	for _, t := range s.slots {
		t.ask(o)
	}
}

// lastOrder is what the stop asks of every child.
func (s *Supervisor) lastOrder() order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order
}

// await waits until no slot is kept any more.
func (s *Supervisor) await(ctx context.Context) error {
	for _, t := range s.slots {
		if err := t.await(ctx, func() bool { return !t.running }); err != nil {
			return err
		}
	}
	return nil
}

// kill sends SIGKILL to the group of every child that is left.
func (s *Supervisor) kill() {
	for _, t := range s.slots {
		t.ask(order{step: StepKill})
	}
}

// remaining counts the children that have not ended.
func (s *Supervisor) remaining() int64 {
	var n int64
	for _, status := range s.Children() {
		if status.Pid != 0 {
			n++
		}
	}
	return n
}

// stuck names the children that have not ended.
func (s *Supervisor) stuck() []string {
	var lines []string
	for _, c := range s.Children() {
		if c.Pid != 0 {
			lines = append(lines, fmt.Sprintf("%s/%d generation %d (pid %d): %s, %d in flight, oldest %v",
				c.Name, c.Slot, c.Generation, c.Pid, c.State, c.InFlight, c.Oldest))
		}
	}
	return lines
}

// outcome is the error of the children that did not stop clean since it was
// last called, or that still live.
func (s *Supervisor) outcome() error {
	s.mu.Lock()
	e := &StopError{Exits: s.unclean}
	s.unclean = nil
	s.mu.Unlock()
	for _, status := range s.Children() {
		if status.Pid != 0 {
			e.Alive = append(e.Alive, status)
		}
	}
	if len(e.Exits) == 0 && len(e.Alive) == 0 {
		return nil
	}
	return e
}
