package lifecycle

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// String returns the report as a table for people, several lines with a newline at the end.
func (r Report) String() string {
	var sb strings.Builder
	fmt.Fprintf(&sb, "stop: %s (%s), exit %d, used %v of %v", r.Outcome, r.Cause, r.ExitCode, short(r.Used), short(r.Budget))
	if r.Predicted != nil {
		fmt.Fprintf(&sb, ", predicted %v", short(*r.Predicted))
	}
	sb.WriteByte('\n')
	w := tabwriter.NewWriter(&sb, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "phase\tpart\tused\tbudget\tremaining\toutcome")
	for _, ph := range r.Phases {
		fmt.Fprintf(w, "%v\t\t%v\t%v\t\t%s\n", ph.Phase, short(ph.Used), short(ph.Budget), ph.Outcome)
		for _, p := range ph.Parts {
			fmt.Fprintf(w, "\t%s\t%v\t\t%s\t%s\n", p.Name, short(p.Used), remaining(p), p.Outcome)
		}
	}
	_ = w.Flush() // a strings.Builder does not fail
	for _, ph := range r.Phases {
		for _, p := range ph.Parts {
			if p.Error != "" {
				fmt.Fprintf(&sb, "%s: %s\n", p.Name, p.Error)
			}
			for _, s := range p.Stuck {
				fmt.Fprintf(&sb, "  still running: %s\n", s)
			}
		}
	}
	return sb.String()
}

func remaining(p PartReport) string {
	number := func(n *int64) string {
		if n == nil {
			return "?"
		}
		return fmt.Sprint(*n)
	}
	if p.RemainingBefore == nil && p.RemainingAfter == nil {
		return ""
	}
	return number(p.RemainingBefore) + " -> " + number(p.RemainingAfter)
}

// short rounds for people: nobody reads nanoseconds of a stop.
func short(d Duration) time.Duration {
	switch v := time.Duration(d); {
	case v >= time.Second:
		return v.Round(10 * time.Millisecond)
	case v >= time.Millisecond:
		return v.Round(100 * time.Microsecond)
	default:
		return v.Round(time.Microsecond)
	}
}
