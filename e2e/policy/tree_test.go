// Package policy holds the rules of the repository that a compiler does not
// know. Each is a test, so that breaking one is a decision and not an accident.
package policy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const modulePrefix = "github.com/curfew-platform/curfew/"

// root is the repository, seen from the folder in which its tests run.
const root = "../.."

// source is one Go file that was written by hand.
type source struct {
	// path is relative to the repository, with slashes.
	path string
	file *ast.File
	fset *token.FileSet
}

func (s source) dir() string { return path.Dir(s.path) }

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) at(pos token.Pos) string {
	p := s.fset.Position(pos)
	return s.path + ":" + strconv.Itoa(p.Line)
}

// imports are the paths that the file imports.
func (s source) imports() []string {
	list := make([]string, len(s.file.Imports))
	for i, spec := range s.file.Imports {
		list[i] = strings.Trim(spec.Path.Value, `"`)
	}
	return list
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// files are the paths of all files that belong to the repository and were
// written by hand, relative to it.
var files = sync.OnceValues(func() ([]string, error) {
	var list []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			switch {
			case rel == "third_party", rel == "bin", rel == "proto/gen", d.Name() == "node_modules",
				rel != "." && strings.HasPrefix(d.Name(), ".") && rel != ".ci" && rel != ".github":
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			list = append(list, rel)
		}
		return nil
	})
	return list, err
})

var sources = sync.OnceValues(func() ([]source, error) {
	names, err := files()
	if err != nil {
		return nil, err
	}
	var list []source
	for _, name := range names {
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "/testdata/") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		if generated.Match(content) {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		list = append(list, source{path: name, file: file, fset: fset})
	}
	return list, nil
})

func allSources(t *testing.T) []source {
	t.Helper()
	list, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no sources found: the tests run in the wrong folder")
	}
	return list
}

func allFiles(t *testing.T) []string {
	t.Helper()
	list, err := files()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
