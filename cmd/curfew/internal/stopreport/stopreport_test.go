package stopreport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

var update = flag.Bool("update", false, "write the drawings anew")

// draw runs the command and returns what it printed.
func draw(t *testing.T, flags Flags, input string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = Main(&flags, strings.NewReader(input), &out, &problems)
	return code, out.String(), problems.String()
}

func TestReportsAreDrawnFromWhateverHoldsThem(t *testing.T) {
	t.Setenv("LC_ALL", "C.UTF-8")
	for _, input := range inputs(t) {
		t.Run(filepath.Base(input), func(t *testing.T) {
			var out, problems bytes.Buffer
			if code := Main(&Flags{File: input}, nil, &out, &problems); code != 0 || problems.Len() > 0 {
				t.Errorf("exit status %d: %s", code, problems.String())
			}
			golden(t, strings.TrimSuffix(input, ".txt")+".golden", out.Bytes())
		})
	}
}

// inputs are the files that hold reports.
func inputs(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return filepath.Base(name) == "mutations.txt" })
	if len(files) < 8 {
		t.Fatalf("only %v", files)
	}
	return files
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s; run the test with -update if it is better now:\n%s", file, diff)
	}
}

func read1(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWherePlainTextIsSpokenTheDrawingIsASCII(t *testing.T) {
	for name, c := range map[string]struct {
		env   map[string]string
		flags Flags
		plain bool
	}{
		"a UTF-8 locale":                {map[string]string{"LANG": "de_DE.UTF-8"}, Flags{}, false},
		"LC_ALL beats LANG":             {map[string]string{"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, Flags{}, true},
		"no locale":                     {nil, Flags{}, true},
		"the flag beats a UTF-8 locale": {map[string]string{"LANG": "C.utf8"}, Flags{ASCII: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
				t.Setenv(v, c.env[v])
			}
			_, out, _ := draw(t, c.flags, read1(t, "clean"))
			if plain := strings.IndexFunc(out, func(r rune) bool { return r > unicode.MaxASCII }) < 0; plain != c.plain || out == "" {
				t.Errorf("plain: %v\n%s", plain, out)
			}
		})
	}
	t.Setenv("LC_ALL", "C")
	_, out, _ := draw(t, Flags{}, read1(t, "log"))
	golden(t, "testdata/ascii.golden", []byte(out))
}

func TestTheDrawingFitsIntoItsWidth(t *testing.T) {
	t.Setenv("LC_ALL", "C.UTF-8")
	for _, width := range []int{60, 72, 100, 160, 240} {
		_, out, _ := draw(t, Flags{Width: width}, read1(t, "log"))
		head, rest, _ := strings.Cut(out, "\n\n")
		bars, _, _ := strings.Cut(rest, "\n\n")
		widest := 0
		for line := range strings.Lines(bars) {
			widest = max(widest, utf8.RuneCountInString(strings.TrimRight(line, "\n")))
		}
		if widest > width || width > 100 && widest < width/2 || head == "" {
			t.Errorf("the widest line has %d of %d columns\n%s", widest, width, bars)
		}
	}
	t.Setenv("COLUMNS", "70")
	if l := newLook(&Flags{}, io.Discard); l.width != 70 {
		t.Errorf("COLUMNS=70 gives %d", l.width)
	}
	t.Setenv("COLUMNS", "many")
	if l := newLook(&Flags{}, io.Discard); l.width != defaultWidth || l.colour {
		t.Errorf("no terminal gives %+v", l)
	}
	if l := newLook(&Flags{Width: 5}, io.Discard); l.width != leastWidth {
		t.Errorf("5 columns gives %d", l.width)
	}
}

func TestOutcomesHaveColoursWhereTheyAreWanted(t *testing.T) {
	l := look{width: 80, colour: true, bar: "#", unused: ".", limit: "|", cut: "~"}
	found, err := find([]byte(read1(t, "log")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[31mabandoned\x1b[0m", "\x1b[32mclean    \x1b[0m", "\x1b[2mskipped  \x1b[0m"} {
		if out := l.draw(found[0]); !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestJSONPassesTheReportThrough(t *testing.T) {
	for _, name := range []string{"log", "describe", "get_json", "docker", "clean", "third_signal"} {
		_, out, _ := draw(t, Flags{JSON: true}, read1(t, name))
		var r lifecycle.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Phases) != 6 || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	_, same, _ := draw(t, Flags{JSON: true}, read1(t, "log"))
	if !strings.Contains(read1(t, "log"), strings.TrimSpace(same)) {
		t.Error("it is not the line of the log")
	}
}

func TestWhatMeansSomethingElseIsNoOrigin(t *testing.T) {
	line := strings.Replace(read1(t, "clean"), "{", `{"service": 7, "child": "blue", `, 1)
	if code, out, problems := draw(t, Flags{}, line); code != 0 || strings.Contains(out, "\nof ") {
		t.Errorf("exit status %d: %s%s", code, problems, out)
	}
}

func TestTheTerminationMessageOfAGroupIsDrawn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "termination-log")
	g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard), lifecycle.WithTerminationMessage(file))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		err := g.Add(lifecycle.Part{
			Name: fmt.Sprintf("part %d", i), Phase: lifecycle.Drain, Stop: func(context.Context) error { return errors.New(strings.Repeat("full ", 30)) },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	g.Shutdown(nil)
	if err := g.Run(t.Context()); err == nil {
		t.Error("no error")
	}
	var out bytes.Buffer
	code := Main(&Flags{File: file}, nil, &out, &out)
	if code != 0 || !strings.HasPrefix(out.String(), "stop: failed, exit code 1, shutdown\n") || !strings.Contains(out.String(), "part 0: full") {
		t.Errorf("exit status %d:\n%s", code, out.String())
	}
}

func TestOfSeveralReportsTheLastIsDrawnUnlessAllAreWanted(t *testing.T) {
	input := read1(t, "log") + read1(t, "clean")
	if _, out, problems := draw(t, Flags{}, input); !strings.HasPrefix(out, "stop: clean") || strings.Count(out, "stop: ") != 1 || !strings.Contains(problems, "2 reports") {
		t.Errorf("%s%s", problems, out)
	}
	if _, out, problems := draw(t, Flags{All: true}, input); strings.Count(out, "stop: ") != 2 || problems != "" {
		t.Errorf("%s%s", problems, out)
	}
	line := read1(t, "clean")
	if found, err := find([]byte(strings.Repeat(line, maxReports+10))); err != nil || len(found) != maxReports {
		t.Errorf("%d reports, %v", len(found), err)
	}
}

func TestWhatIsNoReportIsAClearError(t *testing.T) {
	for name, c := range map[string]struct{ input, says string }{
		"nothing":                 {"", "the input is empty"},
		"a log without a report":  {"{\"msg\":\"started\"}\nand more\n", `no line has "msg":"stop report"`},
		"a line that mentions it": {"the stop report was here { } {", "mentions a stop report but holds none"},
		"an unknown phase":        {`{"msg":"stop report","phases":[{"phase":"lunch"}]}`, `no such phase: "lunch"`},
		"a wrong type":            {`{"msg":"stop report","phases":7}`, "the report makes no sense"},
		"no phases":               {`{"msg":"stop report","exit_code":0}`, "it has no phases"},
		"a duration out of range": {`{"msg":"stop report","used_ms":1e300,"phases":[{"phase":"drain"}]}`, "out of range"},
		"a line without an end":   {`{"msg":"stop report","x":"` + strings.Repeat("y", maxLine), "bytes is no report"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, problems := draw(t, Flags{}, c.input)
			if code != lifecycle.ExitError || out != "" || !strings.Contains(problems, c.says) || strings.Count(problems, "\n") != 1 {
				t.Errorf("exit status %d: %s%s", code, problems, out)
			}
		})
	}
	var problems bytes.Buffer
	if code := Main(&Flags{File: "-"}, io.LimitReader(zeros{}, maxInput+5), io.Discard, &problems); code != 1 || !strings.Contains(problems.String(), "more than 64 MiB") {
		t.Errorf("%d: %s", code, problems.String())
	}
	problems.Reset()
	if code := Main(&Flags{File: "-"}, iotest.ErrReader(errors.New("broken pipe")), io.Discard, &problems); code != 1 || !strings.Contains(problems.String(), "read: broken pipe") {
		t.Errorf("%d: %s", code, problems.String())
	}
	problems.Reset()
	if code := Main(&Flags{File: "testdata/none"}, nil, io.Discard, &problems); code != 1 || !strings.Contains(problems.String(), "no such file") {
		t.Errorf("%d: %s", code, problems.String())
	}
}

func TestABudgetOfCenturiesIsDrawn(t *testing.T) {
	for _, field := range []string{"budget_ms", "used_ms"} {
		for _, ms := range []string{"9.2e12", "9223372036854", "-9.2e12"} {
			line := `{"msg":"stop report","` + field + `":` + ms + `,"phases":[{"phase":"drain","outcome":"clean","budget_ms":` + ms + `,"used_ms":` + ms + `}]}`
			if code, out, problems := draw(t, Flags{Width: leastWidth}, line); code != 0 || !strings.Contains(out, "|0s") {
				t.Errorf("%s of %s: exit status %d: %s%s", field, ms, code, problems, out)
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestAMessageThatWasCutAnywhereIsDrawnAsFarAsItGoes(t *testing.T) {
	line := strings.TrimSpace(read1(t, "clean"))
	drawn := 0
	for n := range len(line) {
		found, err := find([]byte("      Message:      " + line[:n] + "\n\n      Exit Code: 3\n"))
		if err != nil {
			continue
		}
		drawn++
		if r := found[0]; !r.cut || !json.Valid(r.raw) || !strings.Contains(look{width: 80, bar: "#"}.draw(r), "the end of the report is missing") {
			t.Fatalf("cut at %d: %+v", n, r)
		}
	}
	if begin := strings.Index(line, mark) + len(mark); drawn < len(line)-begin-10 {
		t.Errorf("%d of %d beginnings", drawn, len(line))
	}
}

func FuzzFind(f *testing.F) {
	for _, input := range inputs(f) {
		data, err := os.ReadFile(input)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte(`"{"stop report`))
	f.Add([]byte(`{"msg":"stop report","phases":[{"phase":"drain","used_ms":-1,"parts":[null]}],[}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := find(data)
		if (err == nil) != (len(found) > 0) {
			t.Fatalf("%d reports, %v", len(found), err)
		}
		for _, r := range found {
			if !json.Valid(r.raw) || bytes.ContainsAny(r.raw, "\n") {
				t.Fatalf("no line of JSON: %q", r.raw)
			}
			out := look{width: 80, bar: "█", unused: "·", limit: "│", cut: "…"}.draw(r)
			for _, c := range out {
				if c != '\n' && !unicode.IsPrint(c) {
					t.Fatalf("%q drives the terminal: %q", c, out)
				}
			}
			again, err := find([]byte(fmt.Sprintf("%s\n", r.raw)))
			if len(r.Phases) > 0 && (err != nil || len(again) != 1) {
				t.Fatalf("what --json prints is not read again: %v: %s", err, r.raw)
			}
		}
	})
}
