package ratio_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/bench/ratio"
)

func TestPairsAreRunInTurnAndTheOrderAlternates(t *testing.T) {
	var order []string
	run := func(name string, v float64) func() (float64, error) {
		return func() (float64, error) {
			order = append(order, name)
			return v, nil
		}
	}
	pairs, err := ratio.Measure(3, run("ours", 2), run("theirs", 1))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ours", "theirs", "theirs", "ours", "ours", "theirs"}, order); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]ratio.Pair{{2, 1}, {2, 1}, {2, 1}}, pairs); diff != "" {
		t.Error(diff)
	}
}

func TestTheMedianDecidesAboutTheGoal(t *testing.T) {
	r := ratio.Result{Name: "x", Goal: 0.6, Pairs: []ratio.Pair{{9, 10}, {5, 10}, {7, 10}}}
	if got := r.Median(); got != 0.7 {
		t.Errorf("median %v", got)
	}
	if !r.Met() {
		t.Error("0.7 does not reach 0.6")
	}
	r.Below = true
	if r.Met() {
		t.Error("0.7 is below 0.6")
	}
	var b strings.Builder
	r.Print(&b)
	if !strings.Contains(b.String(), "median ratio 0.700 (0.500 to 0.900, 3 pairs), goal <= 0.60: missed") {
		t.Error(b.String())
	}
}

func TestAFailedRunEndsTheMeasurement(t *testing.T) {
	failure := errors.New("broken")
	_, err := ratio.Measure(2, func() (float64, error) { return 0, failure }, func() (float64, error) { return 1, nil })
	if !errors.Is(err, failure) {
		t.Errorf("err = %v", err)
	}
}
