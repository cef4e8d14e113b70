package lifecycle

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTimeFlowsForwardAndFloorsAreKept(t *testing.T) {
	plan := newConfig(nil).plan // grace 30 s, reserve 2 s; floors 0, 0.5, 1, 2.5, 2.5, 1.5
	t0 := time.Now()
	d := t0.Add(plan.Window())
	for name, c := range map[string]struct {
		phase Phase
		at    time.Duration // since T0
		want  time.Duration
	}{
		"announce has its maximum":                           {Announce, 0, time.Second},
		"drain has all that the floors behind it leave":      {Drain, 0, 21500 * time.Millisecond},
		"what others used is not there for drain":            {Drain, 5 * time.Second, 16500 * time.Millisecond},
		"commit has its maximum when there is time":          {Commit, 10 * time.Second, 5 * time.Second},
		"commit has its floor when drain used everything":    {Commit, 21500 * time.Millisecond, 2500 * time.Millisecond},
		"commit has its floor even when drain had a kill":    {Commit, 21750 * time.Millisecond, 2500 * time.Millisecond},
		"close has its floor after five kills":               {Close, 26500*time.Millisecond + 5*killTime, 1500 * time.Millisecond},
		"close has its floor when the process was suspended": {Close, time.Hour, 1500 * time.Millisecond},
	} {
		now := t0.Add(c.at)
		if got := plan.deadline(c.phase, now, d).Sub(now); got != c.want {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

func TestKillsArePaidFromTheReserve(t *testing.T) {
	plan := newConfig(nil).plan
	t0 := time.Now()
	now, d, end := t0, t0.Add(plan.Window()), t0.Add(plan.Grace-plan.PreStop)
	for _, ph := range phases { // everything overruns
		now = plan.deadline(ph, now, d)
		kill := plan.killTime(ph, now, end)
		if kill != killTime {
			t.Errorf("%v: %v to kill", ph, kill)
		}
		now = now.Add(kill)
	}
	if left := end.Sub(now); left < writeTime+2*notesTime {
		t.Errorf("%v left for the report", left)
	}
}

func TestTheLongestTimeOfAPhaseLeavesTheOthersTheirFloors(t *testing.T) {
	plan := newConfig([]Option{WithBudget(Commit, 2500*time.Millisecond, 0)}).plan
	for ph, want := range map[Phase]time.Duration{
		Drain:  21 * time.Second, // 28 s without the 7 s of the others
		Commit: 22500 * time.Millisecond,
		Leave:  3 * time.Second, // its maximum
	} {
		if got := plan.Longest(ph); got != want {
			t.Errorf("%v: %v, not %v", ph, got, want)
		}
	}
}

func TestAnImpossibleBudgetIsRefusedWithItsTable(t *testing.T) {
	for reason, opts := range map[string][]Option{
		"the grace is 9.999s, but pre-stop, reserve and floors need 10s": {WithGrace(9999 * time.Millisecond)},
		"the grace is 30s, but pre-stop, reserve and floors need 31s":    {WithPreStop(21 * time.Second)},
		"the grace is 30s, but pre-stop, reserve and floors need 35s":    {WithPropagation(25 * time.Second)},
		"the grace is 0s, it must be more than 0":                        {WithGrace(0)},
		"the grace is -1s, it must be more than 0":                       {WithGrace(-time.Second)},
		"the grace is 2562047h47m16.854775807s, the most is 168h0m0s":    {WithGrace(1<<63 - 1)},
		"reserve is -1s, it must be between 0 and 168h0m0s":              {WithReserve(-time.Second)},
		"the floor of commit is 2s, above its maximum of 1s":             {WithBudget(Commit, 2*time.Second, time.Second)},
		"the budget of drain is -1s to 0s, both must be":                 {WithBudget(Drain, -time.Second, 0)},
	} {
		_, err := New(opts...)
		var budget *BudgetError
		if !errors.As(err, &budget) || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), "\ngrace ") {
			t.Errorf("%s: got %v", reason, err)
		}
		if ExitCode(err) != ExitUsage {
			t.Errorf("%s: exit code %d", reason, ExitCode(err))
		}
	}
	if _, err := New(WithBudget(9, 0, 0)); err == nil {
		t.Error("a budget for a phase that does not exist")
	}
	if _, err := New(WithGrace(10 * time.Second)); err != nil {
		t.Errorf("the defaults need no more than 10 s: %v", err)
	}
}

func TestTheTableShowsFloorsAndMaxima(t *testing.T) {
	const want = `            floor  max
pre-stop    5s
announce    3s     3s
intake off  500ms  2s
drain       1s     -
commit      2.5s   5s
leave       2.5s   3s
close       1.5s   2.5s
reserve     2s
sum         18s
grace       30s
`
	if got := newConfig([]Option{WithPreStop(5 * time.Second), WithPropagation(8 * time.Second)}).plan.String(); got != want {
		t.Errorf("got\n%s", got)
	}
}
