package lifecycle_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

const killTime = 250 * time.Millisecond

// need is what the plan takes of the grace, computed from the description of the budgets and not by the code under test.
func (p *plan) need() time.Duration {
	sum := p.preStop + p.reserve
	for ph := lifecycle.Announce; ph <= lifecycle.Close; ph++ {
		sum += p.min(ph)
	}
	return sum
}

func (p *plan) min(ph lifecycle.Phase) time.Duration {
	if ph == lifecycle.Announce {
		return max(p.floor[ph], p.propagation-p.preStop)
	}
	return p.floor[ph]
}

func (p *plan) max(ph lifecycle.Phase) time.Duration {
	if p.limit[ph] == 0 {
		return 1 << 60
	}
	return max(p.limit[ph], p.min(ph))
}

// check holds the report and what the actors saw against the rules.
func (o *observed) check(t *testing.T) {
	t.Helper()
	window := o.plan.grace - o.plan.preStop
	tiny := o.plan.reserve < 50*time.Millisecond // can't pay for the least of kills, nor for a frozen reader of the report
	if tiny || o.frozen && o.plan.reserve < time.Second {
		window += 50 * time.Millisecond
	}
	if took := o.ended.Sub(o.began); took > window {
		t.Errorf("the stop took %v of %v", took, window)
	}
	if !o.report.Began.Equal(o.began) {
		t.Errorf("began at %v, the report says %v", o.began, o.report.Began)
	}
	second, third := o.signal(2), o.signal(3)
	if !third.IsZero() && o.ended.After(third) && !o.frozen {
		t.Errorf("ran on for %v after the third signal", o.ended.Sub(third))
	}
	o.checkSeen(t)
	entry, d := o.began, o.began.Add(o.plan.grace-o.plan.preStop-o.plan.reserve)
	for i, ph := range o.report.Phases {
		phase := lifecycle.Phase(i + 1)
		if ph.Phase != phase {
			t.Fatalf("phase %d of the report is %v", i, ph.Phase)
		}
		end := entry.Add(time.Duration(ph.Used))
		cut := !third.IsZero() && !third.After(end)
		if !cut || ph.Outcome != lifecycle.Skipped {
			o.checkBudget(t, phase, time.Duration(ph.Budget), entry, end, d, second)
			o.checkActors(t, phase, entry, end, second, cut)
		}
		o.checkReport(t, ph, entry, end, cut)
		entry = end
	}
	if used := time.Duration(o.report.Used); entry.Sub(o.began) != used {
		t.Errorf("the phases used %v, the report says %v", entry.Sub(o.began), used)
	}
	for _, s := range o.statuses {
		if s.Ready && (s.State != "running" || s.at.After(o.began)) || !s.Live {
			t.Errorf("%v after the beginning of the stop the group says %+v", s.at.Sub(o.began), s.Status)
		}
	}
	if code := lifecycle.ExitCode(o.err); code != o.report.ExitCode {
		t.Errorf("exit code %d, the report says %d", code, o.report.ExitCode)
	}
}

// signal returns when the n-th signal came, the zero time if it did not.
func (o *observed) signal(n int) time.Time {
	if len(o.signals) < n {
		return time.Time{}
	}
	return o.signals[n-1]
}

// checkBudget computes the budget of a phase again.
func (o *observed) checkBudget(t *testing.T, ph lifecycle.Phase, got time.Duration, entry, end, d, second time.Time) {
	t.Helper()
	floor := o.plan.min(ph)
	after := time.Duration(0)
	for later := ph + 1; later <= lifecycle.Close; later++ {
		after += o.plan.min(later)
	}
	natural := min(o.plan.max(ph), max(floor, d.Sub(entry)-after))
	short := func(at time.Time) time.Duration {
		if ph == lifecycle.Announce || ph == lifecycle.Drain {
			return min(natural, at.Sub(entry))
		}
		return min(natural, at.Sub(entry)+floor)
	}
	switch {
	case second.IsZero() || second.After(end):
		if got != natural {
			t.Errorf("%v got %v, not %v", ph, got, natural)
		}
	case second.Before(entry):
		if got != short(entry) {
			t.Errorf("%v after a second signal got %v, not %v", ph, got, short(entry))
		}
	default: // in the phase: it may have been over but for a kill or the wait for propagation
		if got != natural && got != short(second) {
			t.Errorf("%v with a second signal after %v got %v, neither %v nor %v", ph, second.Sub(entry), got, natural, short(second))
		}
		if (ph == lifecycle.Announce || ph == lifecycle.Drain) && end.Sub(second) > killTime {
			t.Errorf("%v went on for %v after the second signal", ph, end.Sub(second))
		}
	}
	propagates := ph == lifecycle.Announce && o.running
	if end.Sub(entry) > got+killTime && !propagates {
		t.Errorf("%v took %v of %v", ph, end.Sub(entry), got)
	}
}

// checkActors holds what the parts of a phase saw against the rules.
func (o *observed) checkActors(t *testing.T, ph lifecycle.Phase, entry, end, second time.Time, cut bool) {
	t.Helper()
	hurried := (ph == lifecycle.Announce || ph == lifecycle.Drain) && !second.IsZero() && !second.After(end)
	floor := o.plan.min(ph)
	for _, a := range o.parts {
		if a.phase != ph {
			continue
		}
		log := a.snapshot()
		if log.startCalls > 1 || log.stopCalls > 1 {
			t.Errorf("%s: %d starts, %d stops", a.name, log.startCalls, log.stopCalls)
		}
		if log.stopCalls == 0 {
			// Whatever came before: no started part is skipped, Commit least of all, but for a third signal.
			if log.started && !cut && (a.start == absent || log.startedAt.Before(entry)) {
				t.Errorf("%s in %v was never stopped", a.name, ph)
			}
			continue
		}
		if !log.started {
			t.Errorf("%s was stopped but had not started", a.name)
		}
		if log.stopAt.Before(entry) || log.stopAt.After(end) {
			t.Errorf("%s in %v was stopped out of turn, %v after its phase began", a.name, ph, log.stopAt.Sub(entry))
		}
		if hurried || cut {
			continue
		}
		if given := log.stopUntil.Sub(entry); given < floor {
			t.Errorf("%s in %v: a context of %v, the floor is %v", a.name, ph, given, floor)
		}
		for what, at := range map[string]time.Time{"cut": log.cutAt, "killed": log.killAt} {
			if !at.IsZero() && at.Sub(entry) < floor && at.Before(end) {
				t.Errorf("%s in %v was %s after %v, the floor is %v", a.name, ph, what, at.Sub(entry), floor)
			}
		}
	}
	if ph == lifecycle.Announce && o.running && !hurried && !cut && end.Sub(entry) < o.plan.propagation-o.plan.preStop {
		t.Errorf("announced for %v only", end.Sub(entry))
	}
}

// checkReport holds the report of a phase against what its actors saw.
func (o *observed) checkReport(t *testing.T, ph lifecycle.PhaseReport, entry, end time.Time, cut bool) {
	t.Helper()
	seen := make(map[string]lifecycle.PartReport)
	for _, p := range ph.Parts {
		seen[p.Name] = p
	}
	deadline := entry.Add(time.Duration(ph.Budget))
	for _, a := range o.parts {
		if a.phase != ph.Phase {
			continue
		}
		got, ok := seen[a.name]
		if !ok {
			t.Errorf("%s is missing in the report", a.name)
			continue
		}
		log := a.snapshot()
		var want lifecycle.Outcome
		switch {
		case log.stopCalls == 0 && (a.start == overrun || a.start == hang || a.start == untilK):
			continue // depends on when Start came back
		case log.stopCalls == 0:
			want = lifecycle.Skipped
		case log.doneAt.IsZero() || log.doneAt.After(end):
			want = lifecycle.Abandoned
		case !log.doneAt.Before(deadline):
			want = lifecycle.Forced
		case log.fatal || log.returnedErr || a.left > 0:
			want = lifecycle.Failed
		default:
			want = lifecycle.Clean
		}
		late := got.Outcome == lifecycle.Abandoned && (cut || log.doneAt.Equal(end)) // given up in the instant of its end
		if got.Outcome != want && !late {
			t.Errorf("%s in %v is reported %s, it was %s: %+v", a.name, ph.Phase, got.Outcome, want, got)
		}
		if want == lifecycle.Clean && got.Outcome == want && time.Duration(got.Used) != log.doneAt.Sub(entry) {
			t.Errorf("%s took %v, the report says %v", a.name, log.doneAt.Sub(entry), got.Used)
		}
		if want == lifecycle.Abandoned && !cut && got.Stack == "" {
			t.Errorf("%s was abandoned without a stack", a.name)
		}
	}
}
