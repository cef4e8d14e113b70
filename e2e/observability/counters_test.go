package observability

import (
	"regexp"
	"slices"
	"testing"
)

// increased are the selectors of counters of which an alert takes an increase.
var increased = regexp.MustCompile(`increase\((([a-z_]+_total)(?:\{[^}]*\})?)\[`)

// TestACounterOfAnAlertIsThereBeforeItsFirstEvent: a counter that appears with
// its first event has no increase, and the alert misses it.
func TestACounterOfAnAlertIsThereBeforeItsFirstEvent(t *testing.T) {
	seen := 0
	for _, alert := range alerts(t) {
		for _, m := range increased.FindAllStringSubmatch(alert.text, -1) {
			selector, name := m[1], m[2]
			if slices.Contains(foreign, name) {
				continue
			}
			seen++
			begun, err := server.query(t.Context(), "min_over_time("+selector+"[30m]) == 0")
			if err != nil {
				t.Fatal(err)
			}
			if len(begun) == 0 {
				t.Errorf("%s: no series of %s began at 0", alert.name, selector)
			}
			late, err := server.query(t.Context(), "min_over_time("+selector+"[30m]) > 0")
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range late {
				t.Errorf("%s: the series %v did not begin at 0", alert.name, s.Metric)
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d counters were found", seen)
	}
}
