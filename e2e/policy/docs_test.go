package policy

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageHasADocComment(t *testing.T) {
	documented, seen := map[string]bool{}, map[string]bool{}
	for _, s := range allSources(t) {
		// A folder may hold a package and its black-box tests, which need none.
		if strings.HasSuffix(s.file.Name.Name, "_test") {
			continue
		}
		seen[s.dir()] = true
		if s.file.Doc != nil {
			documented[s.dir()] = true
		}
	}
	for dir := range seen {
		if !documented[dir] {
			t.Errorf("%s: no file has a package comment", dir)
		}
	}
}

func TestNoPackageIsNamedAfterNothing(t *testing.T) {
	for _, s := range allSources(t) {
		name := strings.TrimSuffix(s.file.Name.Name, "_test")
		if slices.Contains([]string{"util", "utils", "common", "base", "types", "helper", "helpers", "misc", "shared", "mocks"}, name) {
			t.Errorf("%s: package %s", s.path, name)
		}
		if strings.ToLower(name) != name || strings.Contains(name, "_") {
			t.Errorf("%s: package %s is not one lower-case noun", s.path, name)
		}
	}
}

func TestEveryExportedSymbolIsDocumented(t *testing.T) {
	for _, s := range allSources(t) {
		if s.isTest() || s.file.Name.Name == "main" {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil && !wellKnown(d) {
					t.Errorf("%s: %s", s.at(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(t, s, d)
			}
		}
	}
}

// wellKnown are methods whose contract the standard library states.
func wellKnown(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"Error", "String", "GoString", "Unwrap", "LogValue"}, d.Name.Name)
}

func undocumented(t *testing.T, s source, d *ast.GenDecl) {
	t.Helper()
	if d.Tok == token.IMPORT {
		return
	}
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
				t.Errorf("%s: type %s", s.at(spec.Pos()), spec.Name.Name)
			}
		case *ast.ValueSpec:
			// A comment on the group speaks for its members.
			for _, name := range spec.Names {
				if name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					t.Errorf("%s: %s", s.at(spec.Pos()), name.Name)
				}
			}
		}
	}
}

// exportedReceiver tells whether a function is no method or one of an exported
// type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	expr := d.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return false
		}
	}
}
