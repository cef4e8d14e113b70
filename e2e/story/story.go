// Package story prints a demonstration and judges it: every claim is a check
// with numbers, the old way must fail by the same oracle that ours passes, and
// one check that does not hold fails the whole.
package story

import (
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"
)

// Story writes one demonstration. It is safe for concurrent use.
type Story struct {
	mu      sync.Mutex
	out     io.Writer
	started time.Time
	failed  []string
}

// Begin writes the title and returns the story.
func Begin(out io.Writer, title string) *Story {
	fmt.Fprintf(out, "\n=== %s ===\n", title)
	return &Story{out: out, started: time.Now()}
}

// Sayf writes a line of progress, with the seconds since the story began.
func (s *Story) Sayf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%6.1fs  %s\n", time.Since(s.started).Seconds(), fmt.Sprintf(format, args...))
}

// Oldf notes what the old way did; it has to be wrong, or the oracle proves nothing.
func (s *Story) Oldf(wrong bool, format string, args ...any) {
	s.judgef("old way", wrong, format, args...)
}

// Oursf notes what Curfew did; it has to be right.
func (s *Story) Oursf(right bool, format string, args ...any) {
	s.judgef("curfew ", right, format, args...)
}

func (s *Story) judgef(who string, ok bool, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	verdict := "as told"
	if who == "curfew " {
		verdict = "holds"
	}
	s.mu.Lock()
	if !ok {
		verdict = "DOES NOT HOLD"
		s.failed = append(s.failed, what)
	}
	s.mu.Unlock()
	s.Sayf("%s: %s [%s]", who, what, verdict)
}

// Table writes rows in columns; the first row is the head.
func (s *Story) Table(rows ...[]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.out)
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for _, cell := range row {
			fmt.Fprintf(w, "  %s\t", cell)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // the writer below reports nothing either
	fmt.Fprintln(s.out)
}

// End returns an error that names every check that did not hold.
func (s *Story) End() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failed) > 0 {
		return fmt.Errorf("%d checks did not hold: %q", len(s.failed), s.failed)
	}
	return nil
}
