// Package ratio compares two ways to do one thing: pairs that are run in turn
// on the same machine in the same run, so that whatever else the machine does
// meets both. What is reported is the median of the pairs' ratios with its
// range, never a bare time.
package ratio

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Pair is what one pair of runs measured, in the same unit.
type Pair struct{ Ours, Theirs float64 }

// Result is a comparison.
type Result struct {
	// Name says what is compared with what, Unit what was measured.
	Name, Unit string
	// Goal is the ratio that is wanted; at most it if Below is set, else at
	// least. None is 0: the result is printed to be known.
	Goal  float64
	Below bool
	Pairs []Pair
}

// Title is the name.
func (r Result) Title() string { return r.Name }

// Measure runs n pairs, ours first in every even pair and theirs in every odd one.
func Measure(n int, ours, theirs func() (float64, error)) ([]Pair, error) {
	if n < 1 {
		return nil, errors.New("ratio: no pairs")
	}
	pairs := make([]Pair, n)
	for i := range pairs {
		runs := []struct {
			into *float64
			run  func() (float64, error)
		}{{&pairs[i].Ours, ours}, {&pairs[i].Theirs, theirs}}
		if i%2 == 1 {
			slices.Reverse(runs)
		}
		for _, r := range runs {
			v, err := r.run()
			if err != nil {
				return nil, err
			}
			*r.into = v
		}
	}
	return pairs, nil
}

// Ratios returns ours/theirs of every pair, sorted.
func (r Result) Ratios() []float64 {
	out := make([]float64, len(r.Pairs))
	for i, p := range r.Pairs {
		out[i] = p.Ours / p.Theirs
	}
	slices.Sort(out)
	return out
}

// Median is the median ratio; the mean of the middle two of an even number.
func (r Result) Median() float64 {
	s := r.Ratios()
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// Met tells whether the median reaches the goal.
func (r Result) Met() bool {
	if r.Below {
		return r.Median() <= r.Goal
	}
	return r.Median() >= r.Goal
}

// Print writes the result as a line with the pairs below it; of many, some.
func (r Result) Print(w io.Writer) {
	s := r.Ratios()
	if len(s) == 0 {
		return
	}
	sign, verdict := ">=", "met"
	if r.Below {
		sign = "<="
	}
	if !r.Met() {
		verdict = "missed"
	}
	fmt.Fprintf(w, "%s\n  median ratio %.3f (%.3f to %.3f, %d pairs)", r.Name, r.Median(), s[0], s[len(s)-1], len(s))
	if r.Goal != 0 {
		fmt.Fprintf(w, ", goal %s %.2f: %s", sign, r.Goal, verdict)
	}
	fmt.Fprintln(w)
	const listed = 20
	for i := 0; i < len(r.Pairs); i += (len(r.Pairs) + listed - 1) / listed {
		fmt.Fprintf(w, "    ours %.1f  theirs %.1f %s\n", r.Pairs[i].Ours, r.Pairs[i].Theirs, r.Unit)
	}
}
