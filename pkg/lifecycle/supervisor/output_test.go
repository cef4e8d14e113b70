package supervisor

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestWhatAChildWritesBeforeItEndsIsNotLost(t *testing.T) {
	spec := role("last words")
	spec.Restart.Never = true
	s := begin(t, spec)
	_ = s.wait()
	e := s.firstExit()
	if e.Code != 9 || e.Stderr != "the end, without an end of line" {
		t.Errorf("exit %v, stderr %q", e, e.Stderr)
	}
	words := s.lines("word")
	if len(words) != 1000 {
		t.Fatalf("%d lines, want 1000", len(words))
	}
	last := words[999]
	child, _ := last["child"].(map[string]any)
	if last["level"] != "WARN" || last["n"] != 999.0 || child["name"] != "test" || child["pid"] != float64(e.Pid) {
		t.Errorf("last line: %v", last)
	}
	if lines := s.lines("child output"); len(lines) != 1 || lines[0]["line"] != e.Stderr || lines[0]["stream"] != "stderr" {
		t.Errorf("plain lines: %v", lines)
	}
}

func TestALongLineIsLoggedInBoundedPieces(t *testing.T) {
	spec := role("long line")
	spec.Restart.Never = true
	s := begin(t, spec)
	_ = s.wait()
	total := 0
	lines := s.lines("child output")
	for i, record := range lines {
		line, _ := record["line"].(string)
		total += len(line)
		if len(line) > maxLine {
			t.Errorf("piece of %d bytes", len(line))
		}
		if continued := record["continued"] == true; continued != (i < len(lines)-1) {
			t.Errorf("piece %d of %d: continued is %v", i, len(lines), continued)
		}
	}
	if total != 1<<20+1 {
		t.Errorf("%d bytes logged, want %d", total, 1<<20+1)
	}
}

func TestAFloodOfOutputIsBoundedAndCountedAndDoesNotStopTheChild(t *testing.T) {
	spec := role("flood")
	spec.HelloTimeout = patience
	s := run(t, spec)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	logged, dropped := len(s.lines("child output")), 0
	for _, notice := range s.lines("child output dropped, too much of it") {
		lines, _ := notice["lines"].(float64)
		dropped += int(lines)
	}
	// 64 MiB in lines of 1 KiB, and the two lines of the worker.
	if logged+dropped != 64<<10+2 {
		t.Errorf("%d logged + %d dropped, want %d together", logged, dropped, 64<<10+2)
	}
	if dropped < 32<<10 {
		t.Errorf("only %d dropped", dropped)
	}
}

func TestAGrandchildThatHoldsThePipesDoesNotDelayTheEndOfItsParent(t *testing.T) {
	s := run(t, role("forker"))
	pid := s.sup.Children()[0].Pid
	signalPid(t, pid, syscall.SIGKILL)
	eventually(t, "the end is seen and the child started again", func() bool {
		c := s.sup.Children()[0]
		return c.Generation == 2 && c.State == StateReady
	})
}

func TestABlockedLogDelaysTheEndByABoundedTimeOnly(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	o := newOutput(slog.New(blocked{block}), "name", "test")
	r, w, err := pipeOf(strings.Repeat("line\n", 10))
	if err != nil {
		t.Fatal(err)
	}
	o.follow("stderr", r)
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.finish()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("finish waits for the log")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if stderr, _ := o.kept(); !strings.HasPrefix(stderr, "line\n") {
		t.Errorf("kept: %q", stderr)
	}
}

// A slow log is not a blocked one: what counts is the time of a line, and not
// that of all that one read of the pipe has brought.
func TestALogThatIsSlowGetsEveryLine(t *testing.T) {
	const lines = 30
	var log slow
	o := newOutput(slog.New(&log), "name", "test")
	r, w, err := pipeOf(strings.Repeat("line\n", lines))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	o.follow("stdout", r)
	o.finish()
	if got := log.lines.Load(); got != lines {
		t.Errorf("%d of %d lines", got, lines)
	}
}

// slow is a handler that takes a twentieth of the longest time for each line.
type slow struct {
	slog.Handler

	lines atomic.Int64
}

func (s *slow) Enabled(context.Context, slog.Level) bool { return true }
func (s *slow) Handle(context.Context, slog.Record) error {
	<-time.After(outputStall / 20)
	s.lines.Add(1)
	return nil
}

// blocked is a handler that blocks until its channel is closed.
type blocked struct{ until chan struct{} }

func (b blocked) Enabled(context.Context, slog.Level) bool { return true }
func (b blocked) Handle(context.Context, slog.Record) error {
	<-b.until
	return nil
}
func (b blocked) WithAttrs([]slog.Attr) slog.Handler { return b }
func (b blocked) WithGroup(string) slog.Handler      { return b }

func TestLinesAreSplitAtTheirEndsAndAtTheBound(t *testing.T) {
	full := strings.Repeat("a", maxLine)
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"one", "a\n", []string{"a"}},
		{"an empty one", "\n", []string{""}},
		{"windows", "a\r\nb", []string{"a", "b"}},
		{"no end", "a\nb", []string{"a", "b"}},
		{"just the bound", full + "\nb\n", []string{full + "+", "b"}},
		{"above the bound", full + "bc\n\nd", []string{full + "+", "bc", "", "d"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			err := splitLines(strings.NewReader(c.in), func(line []byte, more bool) {
				s := string(line)
				if more {
					s += "+"
				}
				got = append(got, s)
			})
			if err != nil || strings.Join(got, "|") != strings.Join(c.want, "|") || len(got) != len(c.want) {
				t.Errorf("got %d lines, error %v", len(got), err)
			}
		})
	}
}

func TestAStructuredLineKeepsItsTimeLevelAndAttributes(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct{ line, want string }{
		{
			`{"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":"m","a":1,"b":"x","c":{"d":[true]}}`,
			`{"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":"m","a":1,"b":"x","c":{"d":[true]}}`,
		},
		{`{"msg":"m"}`, `{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"m"}`},
		{`{"msg":"m","level":"loud","time":"later"}`, `{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"m","level":"loud"}`},
		{`{"msg":"m"} trailing`, ""},
		{`{"msg":1}`, ""},
		{`{"level":"INFO"}`, ""},
		{`["msg"]`, ""},
		{`{"msg":"m"`, ""},
		{`text`, ""},
		{``, ""},
	} {
		record, _, err := parseRecord([]byte(c.line), now)
		if (err != nil) != (c.want == "") {
			t.Errorf("%s: error %v", c.line, err)
		}
		if err != nil {
			continue
		}
		var buf bytes.Buffer
		if err := slog.NewJSONHandler(&buf, nil).Handle(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(buf.String()); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.line, got, c.want)
		}
	}
}

func TestTheChildOfAChildIsNamedInsideTheChild(t *testing.T) {
	var buf bytes.Buffer
	o := newOutput(slog.New(slog.NewJSONHandler(&buf, nil)), "name", "outer")
	o.emit("stderr", []byte(`{"time":"2026-01-01T00:00:00Z","msg":"m","child":{"name":"inner"}}`), false, time.Now())
	want := `{"time":"2026-01-01T00:00:00Z","level":"INFO","msg":"m","child":{"name":"outer","child":{"name":"inner"}}}`
	if got := strings.TrimSpace(buf.String()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzOutput feeds the output of a hostile child: nothing is lost but the ends
// of lines, no piece is longer than the bound, and every record is valid JSON.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("plain\n{\"msg\":\"m\",\"level\":\"WARN\",\"x\":{\"y\":1}}\n"))
	f.Add([]byte("{\"msg\":\"m\",\"child\":{\"name\":1},\"time\":\"2026-01-01T00:00:00Z\"}\r\n\xff\x00"))
	f.Add([]byte(strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var kept int
		err := splitLines(bytes.NewReader(data), func(line []byte, _ bool) {
			kept += len(line)
			if len(line) > maxLine {
				t.Errorf("piece of %d bytes", len(line))
			}
			record, inner, err := parseRecord(line, time.Time{})
			if err != nil {
				return
			}
			record.AddAttrs(slog.Group(childKey, inner))
			if err := slog.NewJSONHandler(&bytes.Buffer{}, nil).Handle(context.Background(), record); err != nil {
				t.Errorf("record can't be logged: %v", err)
			}
		})
		ends := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r\n"))
		if err != nil || kept > len(data) || kept < len(data)-ends-1 {
			t.Errorf("%d of %d bytes kept, error %v", kept, len(data), err)
		}
	})
}
