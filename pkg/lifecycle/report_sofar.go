package lifecycle

import (
	"slices"
	"time"
)

// Report returns what the stop did. It is complete once Run has returned, and the zero Report before that.
func (g *Group) Report() Report {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.report.Phases) < phaseCount {
		return Report{}
	}
	return g.report
}

// SoFar returns what the stop has done so far: the phases that are over, and the one that it is in, whose outcome is
// [Underway], with those of its parts that have not stopped yet. It is the zero Report before the stop, and the same as
// [Group.Report] once that is complete. A part may ask for it in its own Stop.
func (g *Group) SoFar() Report {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.report
	if r.Began.IsZero() || len(r.Phases) == phaseCount {
		return r
	}
	r.Phases = slices.Clone(r.Phases)
	r.Outcome = Underway
	r.Used = Duration(time.Since(g.begun))
	r.Signals = slices.Clone(g.signals)
	if st := g.current; st != nil && int(st.phase) == len(r.Phases)+1 {
		r.Phases = append(r.Phases, st.progress())
	}
	return r
}

// progress is the report of a phase that is not over.
func (st *stretch) progress() PhaseReport {
	r := PhaseReport{
		Phase: st.phase, Outcome: Underway, Budget: Duration(st.deadline.Sub(st.begin)), Used: Duration(time.Since(st.begin)),
	}
	for _, in := range st.parts {
		p := in.result(st)
		if !happened(in.stopDone) && p.Outcome != Abandoned {
			p.Outcome, p.Used, p.Error, p.err = Underway, r.Used, "", nil
		}
		r.Parts = append(r.Parts, p)
	}
	return r
}

// enter takes note of the phase that the stop is in.
func (g *Group) enter(st *stretch, ph Phase, parts []*instance) {
	g.mu.Lock()
	defer g.mu.Unlock()
	st.phase, st.parts = ph, parts
	g.current = st
}

// publish makes what the stop has done so far visible. The phases in r are not changed any more, only followed by others.
func (g *Group) publish(r Report) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report = r
}
