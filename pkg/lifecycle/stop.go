package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// stretch is the time in which some parts have to stop.
type stretch struct {
	begin    time.Time
	deadline time.Time     // moves forward when the stretch is cut
	kill     time.Duration // from the deadline to abandonment
	cause    error         // of the contexts of the parts, once the deadline has come

	cut      <-chan struct{} // shortens the stretch, once, to
	cutTo    func(now time.Time) time.Time
	cutCause error

	phase Phase       // for SoFar; 0 if a part is removed
	parts []*instance // for SoFar
}

// stopAll runs the phases and returns the error of Run.
func (g *Group) stopAll() error {
	g.mu.Lock()
	begun, why, values := g.begun, g.cause, g.base
	g.mu.Unlock()
	plan := g.conf.plan
	d := begun.Add(plan.Window())
	end := d.Add(plan.Reserve)
	g.notes.add(slog.LevelInfo, "stopping", slog.String("cause", why.text), slog.Duration("window", plan.Window()))

	r := Report{
		Cause:       why.text,
		Began:       begun.Round(0), // without the monotonic clock, which means nothing to a reader
		Grace:       Duration(plan.Grace),
		PreStop:     Duration(plan.PreStop),
		Propagation: Duration(plan.Propagation),
		Reserve:     Duration(plan.Reserve),
		Budget:      Duration(plan.Window()),
	}
	if p := g.Predict(); p.Samples > 0 {
		need := Duration(p.Need)
		r.Predicted = &need
	}
	g.publish(r)
	for _, ph := range phases {
		r.Phases = append(r.Phases, g.stopPhase(values, ph, d, end))
		if ph != Close {
			g.publish(r) // a Report with all phases is complete
		}
	}
	g.mu.Lock()
	r.Signals = append(r.Signals, g.signals...)
	g.mu.Unlock()
	r.Used = Duration(time.Since(begun))
	err := r.conclude(why.err, happened(g.third))
	g.mu.Lock()
	g.report = r
	g.mu.Unlock()
	g.write(r, end)
	return err
}

// stopPhase runs one phase.
func (g *Group) stopPhase(values context.Context, ph Phase, d, end time.Time) PhaseReport {
	parts := g.of(ph, func(*instance) bool { return true })
	if happened(g.third) {
		return skippedPhase(ph, parts)
	}
	plan, now := g.conf.plan, time.Now()
	st := stretch{begin: now, deadline: plan.deadline(ph, now, d), cause: ErrDeadlineExceeded}
	shorten := func(now time.Time) time.Time {
		if ph.hurried() {
			return now
		}
		return now.Add(plan.Budget(ph).Min)
	}
	if happened(g.second) {
		if limit := shorten(now); limit.Before(st.deadline) {
			st.deadline, st.cause = limit, ErrSecondSignal
		}
	} else {
		st.cut, st.cutTo, st.cutCause = g.second, shorten, ErrSecondSignal
	}
	st.kill = plan.killTime(ph, st.deadline, end)

	g.enter(&st, ph, parts)
	g.runParts(values, &st, parts)
	if ph == Announce && happened(g.started) {
		g.waitPropagation(now.Add(plan.announceWait()))
	}

	finished := time.Now()
	report := PhaseReport{
		Phase:   ph,
		Budget:  Duration(st.deadline.Sub(now)),
		Used:    Duration(finished.Sub(now)),
		Carried: Duration(max(0, st.deadline.Sub(finished))),
	}
	for _, in := range parts {
		part := in.result(&st)
		report.Parts = append(report.Parts, part)
		if part.Outcome != Clean && part.Outcome != Skipped {
			g.notes.add(slog.LevelWarn, "part did not stop clean", slog.String("part", part.Name),
				slog.String("phase", ph.String()), slog.String("outcome", string(part.Outcome)), slog.String("error", part.Error))
		}
	}
	report.Outcome = worst(report.Parts)
	return report
}

// waitPropagation lets the listener serve on until nobody sends new work any more.
func (g *Group) waitPropagation(until time.Time) {
	wait := time.NewTimer(time.Until(until))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-g.second:
	case <-g.third:
	}
}

// runParts stops parts in parallel and returns when all have stopped or were abandoned, or at a third signal.
func (g *Group) runParts(values context.Context, st *stretch, parts []*instance) {
	if len(parts) == 0 {
		return
	}
	ctx, cancel := context.WithCancelCause(values)
	defer cancel(nil)
	timed, cancelTimed := context.WithDeadlineCause(ctx, st.deadline, st.cause)
	defer cancelTimed()
	for _, in := range parts {
		in.runStop(timed)
	}
	if g.await(st, parts) {
		return
	}
	if happened(g.third) {
		g.mu.Lock()
		st.cause = ErrThirdSignal
		g.mu.Unlock()
		cancel(st.cause)
		for _, in := range parts {
			in.abandon("")
		}
		return
	}
	cancel(st.cause) // has no effect if the deadline came by itself
	for _, in := range parts {
		if !happened(in.stopDone) {
			in.kill()
		}
	}
	wait := time.NewTimer(st.kill)
	defer wait.Stop()
	if g.awaitKilled(wait.C, parts) {
		return
	}
	var stuck []*instance
	for _, in := range parts {
		if !happened(in.stopDone) {
			stuck = append(stuck, in)
		}
	}
	for in, stack := range stacks(stuck) {
		in.abandon(stack)
	}
}

// await reports whether all parts have stopped before the deadline.
func (g *Group) await(st *stretch, parts []*instance) bool {
	timer := time.NewTimer(time.Until(st.deadline))
	defer timer.Stop()
	for _, in := range parts {
		for !happened(in.stopDone) {
			select {
			case <-in.stopDone:
			case <-timer.C:
				return false
			case <-g.third:
				return false
			case <-st.cut:
				st.cut = nil
				if limit := st.cutTo(time.Now()); limit.Before(st.deadline) {
					g.mu.Lock()
					st.deadline, st.cause = limit, st.cutCause
					g.mu.Unlock()
					timer.Reset(time.Until(limit))
				}
			}
		}
	}
	return true
}

// awaitKilled reports whether all parts have stopped before the wait was over.
func (g *Group) awaitKilled(wait <-chan time.Time, parts []*instance) bool {
	for _, in := range parts {
		select {
		case <-in.stopDone:
		case <-wait:
			return false
		case <-g.third:
			return false
		}
	}
	return true
}

// abandon gives the part up, unless it has stopped.
func (in *instance) abandon(stack string) {
	if happened(in.stopDone) {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.given, in.stack = true, stack
}

// forcedError is the error of a part that came back after its time, with what it said itself if that adds something.
func forcedError(cause, own error) error {
	if own == nil || errors.Is(own, cause) || errors.Is(own, context.DeadlineExceeded) || errors.Is(own, context.Canceled) {
		return fmt.Errorf("forced: %w", cause)
	}
	return fmt.Errorf("forced: %w: %w", cause, own)
}

// result says how the part stopped. It is called once the stretch is over.
func (in *instance) result(st *stretch) PartReport {
	in.mu.Lock()
	defer in.mu.Unlock()
	r := PartReport{
		Name: in.part.Name, Outcome: Clean, Budget: Duration(st.deadline.Sub(st.begin)),
		Estimate: in.estimate, RemainingBefore: in.before, RemainingAfter: in.after,
		Stuck: in.stuck,
	}
	switch {
	case in.given:
		r.Used = Duration(time.Since(st.begin))
		r.Outcome, r.Stack = Abandoned, in.stack
		r.err = fmt.Errorf("abandoned: %w", st.cause)
	case in.skipped:
		r.Outcome = Skipped
	default:
		r.Used = Duration(max(0, in.finished.Sub(st.begin)))
		r.err = in.stopErr
		if !in.finished.Before(st.deadline) {
			r.Outcome = Forced
			r.err = forcedError(st.cause, in.stopErr)
		} else if r.err != nil {
			r.Outcome = Failed
		}
	}
	if r.Outcome != Skipped {
		r.Carried = max(0, r.Budget-r.Used)
	}
	if r.err != nil {
		r.Error = clip(r.err.Error(), maxErrorBytes)
		if s, ok := asStack(r.err); ok && r.Stack == "" {
			r.Stack = clip(s, maxStackBytes)
		}
		r.err = fmt.Errorf("part %q: %w", r.Name, r.err)
	}
	return r
}
