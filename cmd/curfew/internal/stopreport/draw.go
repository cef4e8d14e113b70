package stopreport

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

const (
	// maxParts bounds the lines of a phase; a hostile report can have any number.
	maxParts = 100
	// maxName is the widest column of names.
	maxName = 28
	// maxText bounds a line of text from the report, in characters.
	maxText = 600
	// The outcomes and numbers right of the bars, and the narrowest bars.
	outcomeWidth = 9
	numberWidth  = 24
	leastBars    = 10
)

// row is one line of the timeline.
type row struct {
	name                  string
	begin, used, deadline time.Duration // since T0
	outcome               lifecycle.Outcome
	numbers               string
	phase                 bool
}

// draw returns the timeline of a stop: a line for each phase and below it one for each part, on one axis of time.
func (l look) draw(r report) string {
	var sb strings.Builder
	fmt.Fprintf(&sb, "stop: %s, exit code %d, %s\n", l.paint(r.Outcome, clean(string(r.Outcome))), r.ExitCode, clean(r.Cause))
	fmt.Fprintf(&sb, "began %s, used %s of %s; grace %s = pre-stop %s + phases %s + reserve %s\n",
		r.Began.UTC().Format("2006-01-02 15:04:05.000 MST"), short(r.Used), short(r.Budget), short(r.Grace), short(r.PreStop), short(r.Budget), short(r.Reserve))
	if r.Predicted != nil {
		fmt.Fprintf(&sb, "predicted %s\n", short(*r.Predicted))
	}
	for i, s := range r.Signals {
		if i == maxParts {
			break
		}
		fmt.Fprintf(&sb, "signal %s after %s\n", clean(s.Name), short(s.After))
	}
	if r.of != "" {
		fmt.Fprintf(&sb, "of %s\n", clean(r.of))
	}
	if r.cut {
		sb.WriteString("the end of the report is missing: it was cut off where it was kept\n")
	}
	rows := rowsOf(r)
	name := 0
	for _, row := range rows {
		name = max(name, len([]rune(row.name)))
	}
	name = min(name, maxName, l.width-leastBars-outcomeWidth-numberWidth-3)
	bars := l.width - name - outcomeWidth - numberWidth - 3
	span := max(positive(r.Budget), positive(r.Used), time.Millisecond)
	for _, row := range rows {
		span = max(span, row.begin+row.used)
	}
	sb.WriteByte('\n')
	sb.WriteString(strings.TrimRight(strings.Repeat(" ", name+1)+axis(span, bars), " ") + "\n")
	for _, row := range rows {
		sb.WriteString(l.line(row, name, bars, span))
	}
	l.details(&sb, r)
	if l.plain {
		return strings.Map(func(r rune) rune {
			if r > unicode.MaxASCII {
				return '?'
			}
			return r
		}, sb.String())
	}
	return sb.String()
}

// rowsOf makes the rows. The phases come one after the other; parts begin with their phase.
func rowsOf(r report) []row {
	var rows []row
	at := time.Duration(0)
	for _, ph := range r.Phases {
		used, budget := positive(ph.Used), positive(ph.Budget)
		rows = append(rows, row{
			name: ph.Phase.String(), begin: at, used: used, deadline: at + budget, outcome: ph.Outcome, phase: true,
			numbers: fmt.Sprintf("%s of %s", short(ph.Used), short(ph.Budget)),
		})
		for i, p := range ph.Parts {
			if i == maxParts {
				rows = append(rows, row{name: fmt.Sprintf("  ... and %d more", len(ph.Parts)-i), begin: at})
				break
			}
			rows = append(rows, row{
				name: "  " + clean(p.Name), begin: at, used: positive(p.Used), outcome: p.Outcome,
				numbers: strings.TrimSpace(short(p.Used) + remaining(p)),
			})
		}
		at = min(at+used, most)
	}
	return rows
}

// most keeps sums of hostile durations in range.
const most = 1 << 60

func positive(d lifecycle.Duration) time.Duration { return min(max(0, time.Duration(d)), most) }

func remaining(p lifecycle.PartReport) string {
	if p.RemainingBefore == nil && p.RemainingAfter == nil {
		return ""
	}
	number := func(n *int64) string {
		if n == nil {
			return "?"
		}
		return fmt.Sprint(*n)
	}
	return "  " + number(p.RemainingBefore) + " -> " + number(p.RemainingAfter)
}

// axis is the scale above the bars: a number wherever there is room, at a round distance.
func axis(span time.Duration, columns int) string {
	const room = 9
	step := roundStep(time.Duration(float64(span) * room / float64(columns)))
	cells := []rune(strings.Repeat(" ", columns+room))
	for at := time.Duration(0); at <= span; at += step {
		column := int(float64(at) / float64(span) * float64(columns))
		if column > 0 && cells[column-1] != ' ' {
			continue // the number before is that long
		}
		for i, c := range "|" + short(lifecycle.Duration(at)) {
			if column+i < len(cells) {
				cells[column+i] = c
			}
		}
	}
	return string(cells)
}

// roundStep is the next of 1, 2, 5, 10, 20, 50... ms that is not below least.
func roundStep(least time.Duration) time.Duration {
	for unit := time.Millisecond; ; unit *= 10 {
		for _, step := range []time.Duration{unit, 2 * unit, 5 * unit} {
			if step >= least || unit > most/100 {
				return step
			}
		}
	}
}

// line draws a row.
func (l look) line(r row, name, columns int, span time.Duration) string {
	column := func(at time.Duration) int {
		return min(columns-1, int(float64(at)/float64(span)*float64(columns)))
	}
	cells := make([]string, columns)
	for i := range cells {
		cells[i] = " "
	}
	ran := r.outcome != lifecycle.Skipped && r.outcome != ""
	if ran {
		if r.phase {
			for i := column(r.begin); i < column(r.deadline); i++ {
				cells[i] = l.unused
			}
			cells[column(r.deadline)] = l.limit
		}
		last := column(r.begin + max(0, r.used-1))
		for i := column(r.begin); i <= last; i++ {
			cells[i] = l.bar
		}
		if r.phase && column(r.deadline) < last {
			cells[column(r.deadline)] = l.limit // it went on beyond it
		}
	}
	bar := strings.Join(cells, "")
	outcome := l.fit(clean(string(r.outcome)), outcomeWidth)
	if ran {
		return l.fit(r.name, name) + " " + bar + " " + l.paint(r.outcome, outcome) + " " + r.numbers + "\n"
	}
	return strings.TrimRight(l.fit(r.name, name)+" "+bar+" "+l.paint(r.outcome, outcome), " ") + "\n"
}

// details says what the bars can't: errors, what was stuck, where.
func (l look) details(sb *strings.Builder, r report) {
	for _, ph := range r.Phases {
		for i, p := range ph.Parts {
			if i == maxParts {
				break
			}
			if p.Error != "" {
				fmt.Fprintf(sb, "\n%s: %s\n", l.paint(p.Outcome, clean(p.Name)), clean(p.Error))
			}
			for j, s := range p.Stuck {
				if j == maxParts {
					break
				}
				fmt.Fprintf(sb, "  still running: %s\n", clean(s))
			}
			n := 0
			for s := range strings.Lines(p.Stack) {
				if n++; n > maxParts {
					break
				}
				fmt.Fprintf(sb, "  at %s\n", clean(strings.TrimSpace(s)))
			}
		}
	}
}

// clean keeps a report from driving the terminal, and bounds its texts.
func clean(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		switch n++; {
		case n > maxText:
			return -1
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
}

// short rounds a duration for people.
func short(d lifecycle.Duration) string {
	switch v := time.Duration(d); {
	case v == 0:
		return "0s"
	case v >= time.Minute:
		return v.Round(time.Second).String()
	case v >= time.Second:
		return v.Round(100 * time.Millisecond).String()
	case v >= 10*time.Millisecond:
		return v.Round(time.Millisecond).String()
	default:
		return strconv.FormatFloat(float64(v.Round(100*time.Microsecond).Microseconds())/1000, 'f', -1, 64) + "ms"
	}
}
