package ratio_test

import (
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/bench/ratio"
)

func TestAQuantileIsASampleThatTheShareDoesNotExceed(t *testing.T) {
	b := ratio.Budget{Goal: time.Second}
	for i := 100; i > 0; i-- {
		b.Samples = append(b.Samples, time.Duration(i)*time.Millisecond)
	}
	for q, want := range map[float64]int{0: 1, 0.5: 50, 0.505: 51, 0.99: 99, 1: 100} {
		if got := b.Quantile(q); got != time.Duration(want)*time.Millisecond {
			t.Errorf("quantile %v: %v, want %v ms", q, got, want)
		}
	}
}

func TestABudgetIsMetByItsNinetyNinthPercentile(t *testing.T) {
	for _, c := range []struct {
		name    string
		samples []time.Duration
		want    bool
	}{
		{"nothing measured", nil, false},
		{"all within", []time.Duration{1, 2, 3}, true},
		{"one of three beyond", []time.Duration{1, 2, 5}, false},
	} {
		b := ratio.Budget{Name: "n", Goal: 4, Samples: c.samples}
		if got := b.Met(); got != c.want {
			t.Errorf("%s: met %v", c.name, got)
		}
		var out strings.Builder
		b.Print(&out)
		if len(c.samples) > 0 && strings.Contains(out.String(), "missed") == c.want {
			t.Errorf("%s: printed %s", c.name, out.String())
		}
	}
}
