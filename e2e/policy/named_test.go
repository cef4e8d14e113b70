package policy

import (
	"go/ast"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// aTest is the name of a test or a fuzzer as documents write it.
var aTest = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`")

// What a document says is shown by a test must be shown by one: a claim whose
// test was renamed or removed is a claim without proof.
func TestEveryTestThatADocumentNamesExists(t *testing.T) {
	exists := map[string]bool{}
	for _, s := range allSources(t) {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && s.isTest() {
				exists[f.Name.Name] = true
			}
		}
	}
	named := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			hidden := strings.HasPrefix(d.Name(), ".") && path != root
			if hidden || d.Name() == "node_modules" || d.Name() == "third_party" || d.Name() == "testdata" || d.Name() == "bin" {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range aTest.FindAllStringSubmatch(string(content), -1) {
			if named++; !exists[m[1]] {
				t.Errorf("%s names %s, which does not exist", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if named < 100 {
		t.Errorf("only %d tests are named: the documents are written in another way", named)
	}
}
