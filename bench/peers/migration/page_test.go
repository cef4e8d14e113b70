package migration_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the code into the page")

const page = "../../../docs/migrating.md"

var (
	region = regexp.MustCompile(`(?ms)^// page: ([a-z-]+)\n(.*?)^// page: `)
	block  = regexp.MustCompile(`(?s)(<!-- code: ([a-z-]+) -->\n).*?(<!-- end -->)`)
)

// regions returns the code of the files, by its name on the page.
func regions(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	code := map[string]string{}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rest := string(content)
		for {
			m := region.FindStringSubmatchIndex(rest)
			if m == nil {
				break
			}
			code[rest[m[2]:m[3]]] = "```go\n" + strings.TrimSpace(rest[m[4]:m[5]]) + "\n```\n"
			rest = rest[m[5]:] // the next region begins where this one ends
		}
	}
	return code
}

func TestThePageHasTheCodeThatRuns(t *testing.T) {
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	code := regions(t)
	used := 0
	want := block.ReplaceAllStringFunc(string(content), func(s string) string {
		m := block.FindStringSubmatch(s)
		if code[m[2]] == "" {
			t.Errorf("the page asks for %s, which no file has", m[2])
		}
		used++
		return m[1] + code[m[2]] + m[3]
	})
	if used != 6 || len(code) != 6 {
		t.Errorf("%d blocks on the page, %d in the files, want 6", used, len(code))
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(content)); diff != "" {
		t.Errorf("docs/migrating.md has other code (-want +got); -update writes it:\n%s", diff)
	}
}
