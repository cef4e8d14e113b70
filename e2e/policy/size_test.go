package policy

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
)

func TestNoFileByHandIsLargerThan20KiB(t *testing.T) {
	const most = 20 << 10
	kinds := map[string]bool{".go": true, ".sql": true, ".proto": true, ".md": true, ".yml": true, ".yaml": true}
	pages := []string{"docs/configuration.md", "docs/authorization.md", "docs/mutations.md"} // generated
	sources := map[string]bool{}
	for _, s := range allSources(t) {
		sources[s.path] = true
	}
	for _, name := range allFiles(t) {
		ext := path.Ext(name)
		// Generated pages grow with what they list.
		if name == "docs/configuration.md" || name == "docs/authorization.md" {
			continue
		}
		// The models' findings are kept as they were checked.
		if !kinds[ext] || within(name, "docs/models") || slices.Contains(pages, name) || ext == ".go" && !sources[name] {
			continue
		}
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > most {
			t.Errorf("%s has %d bytes: one file says one thing", name, info.Size())
		}
	}
}
