package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// example is a report with one part of each outcome.
func example() Report {
	number := func(n int64) *int64 { return &n }
	estimate := Duration(3 * time.Second)
	r := Report{
		Cause: "signal: terminated", Began: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
		Signals: []SignalReport{{Name: "terminated"}},
		Grace:   Duration(30 * time.Second), Reserve: Duration(2 * time.Second), Budget: Duration(28 * time.Second),
		Used: Duration(12345678 * time.Microsecond),
	}
	for _, ph := range phases {
		r.Phases = append(r.Phases, PhaseReport{Phase: ph, Outcome: Clean, Budget: Duration(2 * time.Second), Used: Duration(1500 * time.Microsecond), Carried: Duration(1998500 * time.Microsecond)})
	}
	stuck := errors.New("abandoned: deadline of the phase exceeded")
	r.Phases[2].Parts = []PartReport{
		{
			Name: "grpc", Outcome: Abandoned, Used: Duration(11 * time.Second), Estimate: &estimate, RemainingBefore: number(3), RemainingAfter: number(1),
			Error: stuck.Error(), Stuck: []string{"/orders.v1.Orders/List from 10.0.0.1:4711 for 11s"}, Stack: "main.list /src/list.go:12", err: fmt.Errorf("part %q: %w", "grpc", ErrDeadlineExceeded),
		},
		{Name: "worker", Outcome: Clean, Used: Duration(20 * time.Millisecond)},
	}
	r.Phases[2].Outcome = Abandoned
	r.Phases[5].Parts = []PartReport{{Name: "pool", Outcome: Skipped}}
	_ = r.conclude(nil, false)
	return r
}

func TestTheReportIsOneJSONLineWithTheKeysOfALogLine(t *testing.T) {
	data, err := example().JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"msg": "stop report", "level": "ERROR", "time": "2026-11-21T10:00:12.345678Z", "outcome": "abandoned",
		"exit_code": 3.0, "used_ms": 12345.678, "grace_ms": 30000.0, "cause": "signal: terminated",
	} {
		if got[key] != want {
			t.Errorf("%s is %v, not %v", key, got[key], want)
		}
	}
	if strings.Contains(string(data), "\n") {
		t.Error("more than one line")
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if again, err := back.JSON(); err != nil || string(again) != string(data) {
		t.Errorf("read back: %v\n%s\n%s", err, again, data)
	}
}

func TestTheTableSaysWhatHappenedToWhom(t *testing.T) {
	const want = `stop: abandoned (signal: terminated), exit 3, used 12.35s of 28s
phase       part    used   budget  remaining  outcome
announce            1.5ms  2s                 clean
intake off          1.5ms  2s                 clean
drain               1.5ms  2s                 abandoned
            grpc    11s            3 -> 1     abandoned
            worker  20ms                      clean
commit              1.5ms  2s                 clean
leave               1.5ms  2s                 clean
close               1.5ms  2s                 clean
            pool    0s                        skipped
grpc: abandoned: deadline of the phase exceeded
  still running: /orders.v1.Orders/List from 10.0.0.1:4711 for 11s
`
	if got := example().String(); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestTheTerminationMessageIsJSONOfAtMostFourKilobytes(t *testing.T) {
	for _, parts := range []int{0, 1, 3, 10, 1000} {
		r := example()
		for i := range parts {
			r.Phases[i%6].Parts = append(r.Phases[i%6].Parts, PartReport{
				Name: fmt.Sprintf("part %d %s", i, strings.Repeat("é", 50)), Outcome: Forced,
				Error: strings.Repeat("x", maxErrorBytes), Stack: strings.Repeat("s", maxStackBytes), Stuck: []string{strings.Repeat("y", 100)},
			})
		}
		r.Cause = strings.Repeat("long cause ", 10)
		if parts == 1000 {
			r.Cause = strings.Repeat("\x00", 5000) // six bytes each in JSON
		}
		data, err := terminationMessage(r)
		if err != nil || len(data) > maxTermination {
			t.Errorf("%d parts: %d bytes, %v", parts, len(data), err)
		}
		var back Report
		if err := json.Unmarshal(data, &back); err != nil || back.ExitCode != 3 || len(back.Phases) != 6 {
			t.Errorf("%d parts: %v: %s", parts, err, data)
		}
		if parts == 0 && len(back.Phases[2].Parts) != 2 {
			t.Errorf("a short report lost its parts: %s", data)
		}
	}
}

func TestTheWorstPartsStayInAShortMessage(t *testing.T) {
	r := example()
	for i := range 40 {
		outcome := Failed
		if i == 37 {
			outcome = Abandoned
		}
		r.Phases[3].Parts = append(r.Phases[3].Parts, PartReport{Name: fmt.Sprintf("part %d %s", i, strings.Repeat("x", 100)), Outcome: outcome, Error: strings.Repeat("é", 250)})
	}
	data, err := terminationMessage(r)
	if err != nil || len(data) > maxTermination {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	parts := back.Phases[3].Parts
	if len(parts) != 2 || parts[0].Outcome != Abandoned || !strings.HasPrefix(parts[0].Name, "part 37 ") || !strings.HasSuffix(parts[0].Error, "é...") {
		t.Errorf("%+v", parts)
	}
	if drain := back.Phases[2].Parts; len(drain) != 1 || drain[0].Name != "grpc" {
		t.Errorf("%+v", drain)
	}
}

func TestTheReportIsWrittenEvenIfTheTerminationMessageCanNotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		g, err := New(WithoutSignals(), WithReportWriter(&out), WithTable(), WithTerminationMessage(filepath.Join(t.TempDir(), "no", "such", "folder")))
		if err != nil {
			t.Fatal(err)
		}
		g.Shutdown(nil)
		if err := g.Run(t.Context()); err != nil {
			t.Error(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if !strings.HasPrefix(lines[0], "stop: clean") || !strings.HasPrefix(lines[len(lines)-1], `{"time":`) {
			t.Errorf("got\n%s", out.String())
		}
	})
}

func TestAPipeIsNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if isTerminal(w) || isTerminal(&strings.Builder{}) {
		t.Error("taken for a terminal")
	}
}

func TestClipCutsBetweenCharacters(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"short", 5, "short"}, {"longer", 5, "lo..."}, {"aéééé", 7, "aé..."}, {"ééé", 4, "..."}} {
		if got := clip(c.in, c.n); got != c.want {
			t.Errorf("clip(%q, %d) = %q, not %q", c.in, c.n, got, c.want)
		}
	}
}

func TestExitCodesFollowTheWorstNews(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{&UsageError{Err: errors.New("x")}, 2},
		{fmt.Errorf("wrapped: %w", &BudgetError{}), 2},
		{&StopError{errs: []error{errors.New("x"), fmt.Errorf("part: %w", ErrDeadlineExceeded)}}, 3},
		{&StopError{errs: []error{ErrThirdSignal}}, 3},
		{&StopError{errs: []error{ErrSecondSignal}}, 3},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("%v: %d, not %d", c.err, got, c.want)
		}
	}
}
