package mutation

import (
	"fmt"
	"path"
	"strings"
)

// Table writes the mutations as a page: what each breaks, and the test that
// catches it. Names are relative to root.
func Table(root string, list []Mutation) string {
	var sb strings.Builder
	sb.WriteString(`# Mutations

What must not be broken unnoticed: each line is a change of the code that was made, and the test that failed of it. The page is generated from the lists
` + "`testdata/mutations.txt`" + ` beside the packages: ` + "`go test ./mutation -run Table -update`" + ` in e2e. ` + "`make mutations`" + ` makes all of them; those in bold
are made by every change of the repository.
`)
	pkg := ""
	for _, m := range list {
		where := m.Where(root)
		if dir := path.Dir(where); dir != pkg {
			pkg = dir
			fmt.Fprintf(&sb, "\n## %s\n\n| what is broken | file | caught by |\n| --- | --- | --- |\n", pkg)
		}
		breaks := cell(m.Breaks)
		if m.CI {
			breaks = "**" + breaks + "**"
		}
		fmt.Fprintf(&sb, "| %s | %s | `%s` |\n", breaks, path.Base(where), m.Test)
	}
	return sb.String()
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
