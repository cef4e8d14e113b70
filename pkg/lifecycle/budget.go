package lifecycle

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

const (
	defaultGrace   = 30 * time.Second
	defaultReserve = 2 * time.Second

	// killTime is what a part gets between its Kill and being abandoned. It is paid from the reserve.
	killTime = 250 * time.Millisecond
	// leastKillTime lets the Stop of every part at least be called, whatever the budget. A reserve below
	// 50 ms can't pay for it; such a stop may take that much too long.
	leastKillTime = 5 * time.Millisecond

	// maxGrace keeps sums of budgets far from the range of time.Duration.
	maxGrace = 7 * 24 * time.Hour
)

// Budget is what a phase of the stop may take. Min is the floor that no other phase can take from it; Max is the most
// it may use even if more time is there, 0 for no limit of its own.
type Budget struct {
	Min, Max time.Duration
}

// defaultBudgets need a grace of at least 10 s. Commit, Leave and Close have a limit so that a frozen broker or
// database costs less than 10 s in all even under a long grace; Drain may use everything that is left.
func defaultBudgets() [phaseCount]Budget {
	return [phaseCount]Budget{
		{Min: 0, Max: time.Second},
		{Min: 500 * time.Millisecond, Max: 2 * time.Second},
		{Min: time.Second, Max: 0},
		{Min: 2500 * time.Millisecond, Max: 5 * time.Second},
		{Min: 2500 * time.Millisecond, Max: 3 * time.Second},
		{Min: 1500 * time.Millisecond, Max: 2500 * time.Millisecond},
	}
}

// Plan is the arithmetic of a stop: how the grace is divided. It is a value and safe to share.
type Plan struct {
	Grace       time.Duration // G
	PreStop     time.Duration // P
	Reserve     time.Duration // R
	Propagation time.Duration
	Budgets     [phaseCount]Budget // by phase, Announce first
}

// Budget returns the budget of one phase. The floor of Announce includes the wait for propagation.
func (p Plan) Budget(ph Phase) Budget { return p.Budgets[ph-1] }

// Window is the time between the first signal and the deadline D of the whole stop: G - P - R.
func (p Plan) Window() time.Duration { return p.Grace - p.PreStop - p.Reserve }

// Floors is the sum of all floors.
func (p Plan) Floors() time.Duration {
	var sum time.Duration
	for _, b := range p.Budgets {
		sum += b.Min
	}
	return sum
}

// Longest is the most that a phase can get, when every other phase leaves it all but its floor. No call, batch or
// stream that lasts longer than Longest(Drain) can be drained.
func (p Plan) Longest(ph Phase) time.Duration {
	b := p.Budget(ph)
	longest := p.Window() - p.Floors() + b.Min
	if b.Max > 0 {
		longest = min(longest, b.Max)
	}
	return longest
}

// announceWait is how long the listener goes on serving after readiness turned negative. Either the preStop hook
// waits for the news to spread or Announce does, never both.
func (p Plan) announceWait() time.Duration { return max(0, p.Propagation-p.PreStop) }

// floorsAfter is the sum of the floors of the phases behind ph.
func (p Plan) floorsAfter(ph Phase) time.Duration {
	var sum time.Duration
	for _, b := range p.Budgets[ph:] {
		sum += b.Min
	}
	return sum
}

// deadline is the time at which a phase entered now must end, in a stop whose deadline is d:
//
//	min(now + Max, d - floors behind it), and never less than now + Min
//
// The last term matters only after an earlier phase was late by a kill or by a late wake-up: the reserve pays for
// that, not the floor of this phase.
func (p Plan) deadline(ph Phase, now, d time.Time) time.Time {
	b := p.Budget(ph)
	end := d.Add(-p.floorsAfter(ph))
	if floor := now.Add(b.Min); end.Before(floor) {
		end = floor
	}
	if b.Max > 0 {
		if limit := now.Add(b.Max); limit.Before(end) {
			end = limit
		}
	}
	return end
}

// killTime is how long killed parts of a phase that ends at deadline may still take. Kills are paid from the reserve:
// each remaining phase, and the report, keeps a share of it, so that with the default reserve everybody gets the full
// 250 ms, and with a small one, of at least 50 ms, the stop still ends before end = T0 + G - P.
func (p Plan) killTime(ph Phase, deadline, end time.Time) time.Duration {
	slack := end.Sub(deadline) - p.floorsAfter(ph)
	shares := time.Duration(phaseCount - int(ph) + 2)
	return max(leastKillTime, min(killTime, slack/shares))
}

// check returns a *BudgetError if the plan can't hold.
func (p Plan) check() error {
	refuse := func(format string, args ...any) error {
		return &BudgetError{Plan: p, Reason: fmt.Sprintf(format, args...)}
	}
	if p.Grace <= 0 {
		return refuse("the grace is %v, it must be more than 0", p.Grace)
	}
	if p.Grace > maxGrace {
		return refuse("the grace is %v, the most is %v", p.Grace, maxGrace)
	}
	for _, v := range []struct {
		name string
		d    time.Duration
	}{{"pre-stop", p.PreStop}, {"reserve", p.Reserve}, {"propagation", p.Propagation}} {
		if v.d < 0 || v.d > maxGrace {
			return refuse("%s is %v, it must be between 0 and %v", v.name, v.d, maxGrace)
		}
	}
	for _, ph := range phases {
		b := p.Budget(ph)
		if b.Min < 0 || b.Max < 0 || b.Min > maxGrace || b.Max > maxGrace {
			return refuse("the budget of %v is %v to %v, both must be between 0 and %v", ph, b.Min, b.Max, maxGrace)
		}
		if b.Max > 0 && b.Max < b.Min {
			return refuse("the floor of %v is %v, above its maximum of %v", ph, b.Min, b.Max)
		}
	}
	if need := p.PreStop + p.Reserve + p.Floors(); need > p.Grace {
		return refuse("the grace is %v, but pre-stop, reserve and floors need %v", p.Grace, need)
	}
	return nil
}

// String prints the table: what each phase is promised and the most it can get.
func (p Plan) String() string {
	var sb strings.Builder
	w := tabwriter.NewWriter(&sb, 0, 0, 2, ' ', 0)
	row := func(cells ...any) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf(strings.Repeat("%v\t", len(cells)), cells...), "\t"))
	}
	row("", "floor", "max")
	row("pre-stop", p.PreStop, "")
	for _, ph := range phases {
		b := p.Budget(ph)
		limit := "-"
		if b.Max > 0 {
			limit = b.Max.String()
		}
		row(ph, b.Min, limit)
	}
	row("reserve", p.Reserve, "")
	row("sum", p.PreStop+p.Reserve+p.Floors(), "")
	row("grace", p.Grace, "")
	_ = w.Flush() // a strings.Builder does not fail
	return sb.String()
}

// BudgetError says why a grace cannot hold its budgets. It is a usage error: [ExitCode] maps it to 2.
type BudgetError struct {
	Plan   Plan
	Reason string
}

// Error returns the reason and, on the lines below it, the table of the plan.
func (e *BudgetError) Error() string {
	return "lifecycle: impossible budget: " + e.Reason + "\n" + e.Plan.String()
}
