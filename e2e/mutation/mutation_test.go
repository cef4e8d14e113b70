package mutation_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/mutation"
)

var update = flag.Bool("update", false, "write docs/mutations.md")

// root is the repository, seen from the folder in which its tests run.
const root = "../.."

func all(t *testing.T) []mutation.Mutation {
	t.Helper()
	list, err := mutation.Find(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no lists found")
	}
	return list
}

func TestEveryListedMutationIsCaughtByItsTest(t *testing.T) {
	t.Parallel()
	whole := os.Getenv("CURFEW_TEST_SIZE") == "soak"
	free := make(chan struct{}, max(1, runtime.NumCPU()/2)) // each is a go build and a test
	controls := make(map[string]bool)
	for _, m := range all(t) {
		if !m.CI && !whole {
			continue
		}
		// Every change runs these tests anyway, as they are.
		if control := filepath.Join(m.Package, m.Test); whole && !controls[control] {
			controls[control] = true
			t.Run(m.Where(root)+" as it is, "+m.Test, func(t *testing.T) {
				t.Parallel()
				free <- struct{}{}
				defer func() { <-free }()
				if err := m.Control(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		t.Run(m.Where(root)+" "+m.Breaks, func(t *testing.T) {
			t.Parallel()
			free <- struct{}{}
			defer func() { <-free }()
			start := time.Now()
			way, err := m.Run(t.Context(), t.TempDir())
			if err != nil {
				t.Error(err)
			}
			t.Logf("%s: %s after %s", m.Test, way, time.Since(start).Round(time.Second))
		})
	}
}

func TestEveryListFitsItsCode(t *testing.T) {
	for _, m := range all(t) {
		if err := m.Fits(); err != nil {
			t.Errorf("%s: [%s]: %v", m.Where(root), m.Breaks, err)
		}
	}
}

func TestTheTableOfTheDocsIsThatOfTheLists(t *testing.T) {
	page := filepath.Join(root, "docs", "mutations.md")
	want := mutation.Table(root, all(t))
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/mutations.md is out of date: run go test ./mutation -run Table -update in e2e")
	}
}

func TestWhatTheRunnerSays(t *testing.T) {
	t.Parallel()
	caught := mutation.Mutation{
		Breaks: "the sum", Dir: "testdata/sum", Package: "testdata/sum",
		File: "sum.go", From: "return a + b", To: "return a - b", Test: "TestSum",
	}
	with := func(change func(*mutation.Mutation)) mutation.Mutation {
		m := caught
		change(&m)
		return m
	}
	for what, c := range map[string]struct {
		m    mutation.Mutation
		way  string
		want error
	}{
		"caught":                      {caught, "it failed", nil},
		"a test that panics":          {with(func(m *mutation.Mutation) { m.To = `panic("no sum")` }), "it panicked", nil},
		"a test that looks elsewhere": {with(func(m *mutation.Mutation) { m.Test = "TestNothing" }), "", mutation.ErrSurvived},
		"no such test":                {with(func(m *mutation.Mutation) { m.Test = "TestAbsent" }), "", mutation.ErrNoTest},
		"text that is not there":      {with(func(m *mutation.Mutation) { m.From = "return a * b" }), "", mutation.ErrStale},
		"text that is there twice":    {with(func(m *mutation.Mutation) { m.From = "return" }), "", mutation.ErrStale},
		"no Go":                       {with(func(m *mutation.Mutation) { m.To = "return" }), "", mutation.ErrNoCode},
		"no Go, in a program that the test builds": {
			with(func(m *mutation.Mutation) { m.To, m.Package = "return", "testdata/program" }), "", mutation.ErrNoCode,
		},
		"several lines": {
			with(func(m *mutation.Mutation) { m.From, m.To = "b = -b\n}\nreturn a + b", "}\nreturn a + b" }), "it failed", nil,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			way, err := c.m.Run(t.Context(), t.TempDir())
			if !errors.Is(err, c.want) || way != c.way {
				t.Errorf("got %q, %v, want %q, %v", way, err, c.way, c.want)
			}
		})
	}
}

func TestATestThatFailsAnywayProvesNothing(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		test, dir string
		want      error
	}{
		"passes":           {"TestSum", "testdata/sum", nil},
		"no such test":     {"TestAbsent", "testdata/sum", mutation.ErrNoTest},
		"fails as it does": {"TestSum", "testdata/program", mutation.ErrFailsAnyway},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := mutation.Mutation{Test: c.test, Package: c.dir}
			if err := m.Control(t.Context()); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestAListIsReadStrictly(t *testing.T) {
	entry := "[breaks]\nfile: a.go\nfrom: x\nto: y\ntest: TestA\n"
	for what, c := range map[string]struct{ list, want string }{
		"an entry":             {"# why\n\n" + entry + "size: ci\npackage: ../b\n", ""},
		"no beginning":         {"file: a.go\n", "in brackets"},
		"an unknown key":       {entry + "tset: TestB\n", "no such key"},
		"an unknown size":      {entry + "size: huge\n", "no such size"},
		"no pair":              {entry + "x\n", "no key: value"},
		"nothing to look for":  {"[breaks]\nfile: a.go\ntest: TestA\n", "needs"},
		"a change of nothing":  {"[breaks]\nfile: a.go\nfrom: x\nto: x\ntest: TestA\n", "changes nothing"},
		"a test that is none":  {"[breaks]\nfile: a.go\nfrom: x\ntest: Check\n", "not the name of a test"},
		"a pattern as a test":  {"[breaks]\nfile: a.go\nfrom: x\ntest: Test.*\n", "not the name of a test"},
		"two lines of a place": {"[breaks]\nfile: a.go\nfrom: x\nfrom: y\ntest: TestA\n", ""},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "testdata"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "testdata", "mutations.txt"), []byte(c.list), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := mutation.Read(dir)
		if c.want == "" && (err != nil || len(list) != 1) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, %v", what, list, err)
		}
	}
}
