package supervisor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

func TestReasonsHasEveryReason(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		declared++
		value := spec.Values[0].(*ast.BasicLit).Value //nolint:forcetypeassert // The test would say so.
		if !slices.Contains(Reasons(), Reason(strings.Trim(value, `"`))) {
			t.Errorf("%s is not in Reasons", spec.Names[0].Name)
		}
		return true
	})
	if declared < 10 || declared != len(Reasons()) {
		t.Errorf("%d reasons are declared, %d listed", declared, len(Reasons()))
	}
}
