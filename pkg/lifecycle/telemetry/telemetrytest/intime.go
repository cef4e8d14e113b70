package telemetrytest

import (
	"strings"
	"testing"
)

// attempts is how many stops in a row may find the machine busy.
const attempts = 10

// InTime returns a collector that got what a stop had a second to export, and
// the error of that stop. Of a machine that leaves an exporter no processor for
// so long nothing can be learned, but that the stop says so: then it is tried
// again, with another collector.
func InTime(t testing.TB, stop func(c *Collector) error) (*Collector, error) {
	t.Helper()
	for range attempts {
		c := New(t)
		err := stop(c)
		if !late(err) {
			return c, err
		}
		t.Logf("a busy machine: %v", err)
	}
	t.Fatalf("%d stops were too short to export", attempts)
	return nil, nil
}

// late tells whether an export had too little time.
func late(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "exceeded") || strings.Contains(err.Error(), "DeadlineExceeded"))
}
