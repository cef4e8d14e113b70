package lifecycle_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// look looks at the stop now and then until it is over.
func (o *observed) look(g *lifecycle.Group, over <-chan struct{}) {
	tick := time.NewTicker(2500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.seen = append(o.seen, g.SoFar())
		case <-over:
			return
		}
	}
}

// checkSeen holds what was seen on the way against the report.
func (o *observed) checkSeen(t *testing.T) {
	t.Helper()
	for _, seen := range o.seen {
		if seen.Cause != o.report.Cause || !seen.Began.Equal(o.report.Began) || len(seen.Phases) == 0 {
			t.Errorf("seen on the way: %+v", seen)
		}
		for i, ph := range seen.Phases {
			final := o.report.Phases[i]
			if ph.Outcome == lifecycle.Underway {
				if i != len(seen.Phases)-1 || ph.Used > final.Used {
					t.Errorf("%v is underway after %v; it took %v", ph.Phase, ph.Used, final.Used)
				}
				continue
			}
			if ph.Phase != final.Phase || ph.Outcome != final.Outcome || ph.Used != final.Used || len(ph.Parts) != len(final.Parts) {
				t.Errorf("%v was over, and has changed: %+v, %+v", ph.Phase, ph, final)
			}
		}
	}
}
