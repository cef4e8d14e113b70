package policy

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// forbidden are calls and the trees of the repository that may make them, with
// the reason.
var forbidden = []struct {
	call  string
	tests bool // also in tests
	trees []string
	why   string
}{
	{"os.Exit", false, []string{"pkg/lifecycle", "pkg/localenv/pgtest"}, "return an error: a skipped defer loses what it would have saved"},
	{"log.Fatal", true, nil, "return an error"},
	{"log.Fatalf", true, nil, "return an error"},
	{"signal.Notify", false, []string{"pkg/lifecycle", "pkg/localenv/cmd", "cmd/curfew/internal/guard", "e2e/naive", "bench/peers"}, "pkg/lifecycle owns the signals of a process"},
	{"signal.NotifyContext", false, []string{"pkg/lifecycle", "e2e/naive", "e2e/cmd", "bench"}, "pkg/lifecycle owns the signals of a process"},
	{"time.Sleep", true, []string{"e2e/naive"}, "wait for the event, or use testing/synctest"},
	{"t.Skip", true, nil, "a test that does not run says nothing: fail with what is missing"},
	{"t.SkipNow", true, nil, "a test that does not run says nothing: fail with what is missing"},
	{"t.Skipf", true, nil, "a test that does not run says nothing: fail with what is missing"},
	{"slog.SetDefault", true, nil, "inject the logger"},
}

func TestCallsThatBelongToOnePlaceAreMadeThereOnly(t *testing.T) {
	virtual := map[string]bool{}
	for _, s := range allSources(t) {
		if slices.Contains(s.imports(), "testing/synctest") {
			virtual[s.dir()] = true
		}
	}
	for _, s := range allSources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			receiver, ok := selector.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := receiver.Name + "." + selector.Sel.Name
			for _, rule := range forbidden {
				if name != rule.call || s.isTest() && !rule.tests {
					continue
				}
				// Time in a synctest bubble is virtual; its functions may be spread over the package's tests.
				if name == "time.Sleep" && s.isTest() && virtual[s.dir()] {
					continue
				}
				// The one line of a main function that ends the process.
				if name == "os.Exit" && s.file.Name.Name == "main" {
					continue
				}
				if !slices.ContainsFunc(rule.trees, func(tree string) bool { return within(s.dir(), tree) }) {
					t.Errorf("%s: %s: %s", s.at(call.Pos()), name, rule.why)
				}
			}
			return true
		})
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	for _, s := range allSources(t) {
		for _, group := range s.file.Comments {
			for _, mark := range []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"} {
				if strings.Contains(group.Text(), mark) {
					t.Errorf("%s: %s", s.at(group.Pos()), mark)
				}
			}
		}
	}
}

func TestMainFunctionsOnlyBuildAndRun(t *testing.T) {
	const most = 60
	for _, s := range allSources(t) {
		if s.file.Name.Name != "main" || s.isTest() || !strings.HasPrefix(s.dir(), "services/") {
			continue
		}
		if lines := s.fset.Position(s.file.End()).Line; lines > most {
			t.Errorf("%s has %d lines: compose in the package of the service", s.path, lines)
		}
	}
}
