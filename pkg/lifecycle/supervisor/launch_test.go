package supervisor

import (
	"slices"
	"testing"
)

func TestOfTwoVariablesOfOneNameTheLaterCounts(t *testing.T) {
	got := environment([]string{"A=1", "B=2", "A=3", "odd"}, []string{"B=4", "C=5"})
	if want := []string{"A=3", "B=4", "odd", "C=5"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
