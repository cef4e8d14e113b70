package policy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// owned are the trees whose processes start and stop by pkg/lifecycle alone.
var owned = []string{"services", "cmd/curfew", "pkg/server"}

// unowned are the packages in them that may do otherwise, with the reason.
var unowned = map[string]string{
	"cmd/curfew/internal/guard": "the process between curfew dev and a foreign command: it has no group, only an end",
	"pkg/server/logship":        "ships the report of the stop, so it outlives the group; Main closes it within a bound",
}

// ownedSources are the sources to which the rules below apply.
func ownedSources(t *testing.T) []source {
	t.Helper()
	var list []source
	for _, s := range allSources(t) {
		in := slices.ContainsFunc(owned, func(tree string) bool { return within(s.dir(), tree) })
		if _, may := unowned[s.dir()]; in && !may && !s.isTest() {
			list = append(list, s)
		}
	}
	if len(list) < 100 {
		t.Fatalf("%d sources only: the rule looks in the wrong folders", len(list))
	}
	return list
}

func TestEveryGoroutineOfAServiceHasAnOwner(t *testing.T) {
	const why = "use lifecycle's Group.Go, Task or Within, or an errgroup with SetLimit"
	for _, s := range ownedSources(t) {
		for _, place := range bareGoroutines(s.file) {
			t.Errorf("%s: %s: %s", s.at(place.Pos()), place.what, why)
		}
	}
}

// place is where something is started that nobody owns.
type place struct {
	ast.Node

	what string
}

// bareGoroutines returns the go statements of a file, and the calls of Go on what
// has no bound: a sync.WaitGroup, or an errgroup in a function without SetLimit.
func bareGoroutines(file *ast.File) []place {
	var found []place
	groups := map[string]bool{} // names of wait groups, also of fields
	ast.Inspect(file, func(n ast.Node) bool {
		var names []*ast.Ident
		var kind ast.Expr
		switch n := n.(type) {
		case *ast.ValueSpec:
			names, kind = n.Names, n.Type
		case *ast.Field:
			names, kind = n.Names, n.Type
		}
		if star, ok := kind.(*ast.StarExpr); ok {
			kind = star.X
		}
		if qualified(kind) == "sync.WaitGroup" {
			for _, name := range names {
				groups[name.Name] = true
			}
		}
		return true
	})
	for _, decl := range file.Decls {
		errgroup, limited := []place(nil), false
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found = append(found, place{n, "a bare go statement"})
			case *ast.CallExpr:
				f, ok := n.Fun.(*ast.SelectorExpr)
				if !ok {
					break
				}
				limited = limited || f.Sel.Name == "SetLimit"
				if f.Sel.Name == "Go" && groups[last(f.X)] {
					found = append(found, place{n, "a sync.WaitGroup starts it"})
				}
			case *ast.SelectorExpr:
				if name := qualified(n); name == "errgroup.Group" || name == "errgroup.WithContext" {
					errgroup = append(errgroup, place{n, "an errgroup without SetLimit"})
				}
			}
			return true
		})
		if !limited {
			found = append(found, errgroup...)
		}
	}
	return found
}

// qualified returns "package.Name" for such an expression, else nothing.
func qualified(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := s.X.(*ast.Ident); ok {
		return x.Name + "." + s.Sel.Name
	}
	return ""
}

// last returns the last name of an expression such as a.b.c.
func last(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.UnaryExpr:
		return last(e.X)
	default:
		return ""
	}
}

func TestTheRuleOnGoroutinesSeesThem(t *testing.T) {
	for code, want := range map[string]int{
		"func f() { go f() }":                                                                 1,
		"func f() { func() { go f() }() }":                                                    1,
		"func f() { var wg sync.WaitGroup; wg.Go(f) }":                                        1,
		"type a struct { wg *sync.WaitGroup }; func (x *a) f() { x.wg.Go(nil) }":              1,
		"func f() { var g errgroup.Group; g.Go(nil) }":                                        1,
		"func f() { g, _ := errgroup.WithContext(nil); g.Go(nil) }":                           1,
		"func f() { var g errgroup.Group; g.SetLimit(3); g.Go(nil) }":                         0,
		"func f() { g.SetLimit(3) }; func h() { g, _ := errgroup.WithContext(nil); g.Go(h) }": 1,
		"func f(rt runtime) { rt.Group.Go(\"x\", nil) }":                                      0,
	} {
		if got := bareGoroutines(parsed(t, "package p; "+code)); len(got) != want {
			t.Errorf("%s: found %d, want %d", code, len(got), want)
		}
	}
}

func parsed(t *testing.T, code string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", code, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSignalsOfAServiceBelongToItsGroup(t *testing.T) {
	for _, s := range ownedSources(t) {
		if slices.Contains(s.imports(), "os/signal") {
			t.Errorf("%s imports os/signal: pkg/lifecycle owns the signals of a process", s.path)
		}
	}
}

func TestAProcessEndsInItsMainFunctionOnly(t *testing.T) {
	for _, s := range ownedSources(t) {
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			exits := 0
			ast.Inspect(decl, func(n ast.Node) bool {
				e, is := n.(ast.Expr)
				if !is {
					return true
				}
				switch name := qualified(e); {
				case name == "os.Exit" && ok && f.Name.Name == "main" && s.file.Name.Name == "main":
					exits++
				case name == "os.Exit", name == "syscall.Exit", name == "runtime.Goexit", strings.HasPrefix(name, "log.Fatal"), strings.HasPrefix(name, "log.Panic"):
					t.Errorf("%s: %s: return an error, so that what was started is stopped", s.at(n.Pos()), name)
				}
				return true
			})
			if exits > 1 {
				t.Errorf("%s: main ends the process in %d places", s.at(decl.Pos()), exits)
			}
		}
	}
}
