package policy

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// moduleFiles are the go.mod files of the workspace, and that of the tools.
func moduleFiles(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, name := range allFiles(t) {
		if path.Base(name) == "go.mod" {
			list = append(list, name)
		}
	}
	return list
}

func TestTheWorkspaceHoldsEveryModuleButTheTools(t *testing.T) {
	work := read(t, "go.work")
	for _, name := range moduleFiles(t) {
		listed := strings.Contains(work, "\t./"+path.Dir(name)+"\n")
		if tools := within(path.Dir(name), "tools"); listed == tools {
			t.Errorf("%s: listed in go.work: %v", name, listed)
		}
	}
}

var (
	replaceLine = regexp.MustCompile(`(?m)^[ \t]*(?:replace[ \t]+)?(\S+)(?:[ \t]+v\S+)?[ \t]+=>[ \t]+(\S+)`)
	goLine      = regexp.MustCompile(`(?m)^go (\S+)$`)
	requireLine = regexp.MustCompile(`(?m)^\s*(?:require\s+)?([a-z0-9.-]+\.[a-z]+/\S+)\s+v\S+`)
)

func TestOnlySiblingsAreReplacedAndOnlyByTheirOwnFolders(t *testing.T) {
	for _, name := range moduleFiles(t) {
		for _, match := range replaceLine.FindAllStringSubmatch(read(t, name), -1) {
			sibling, ours := strings.CutPrefix(match[1], modulePrefix)
			if name == "tools/kubernetes/go.mod" && match[1] == match[2] {
				continue // Kubernetes requires v0.0.0 of its own parts and leaves it to us to say which.
			}
			if !ours {
				t.Errorf("%s replaces %s: fix or pin it upstream", name, match[1])
				continue
			}
			if target := path.Join(path.Dir(name), match[2]); target != sibling {
				t.Errorf("%s replaces %s by %s, want its own folder", name, match[1], target)
			}
		}
	}
}

func TestEveryModuleNamesTheSameGoVersion(t *testing.T) {
	for _, name := range append(moduleFiles(t), "go.work") {
		match := goLine.FindStringSubmatch(read(t, name))
		if match == nil || match[1] != "1.26.0" {
			t.Errorf("%s: go line %v, want 1.26.0", name, match)
		}
	}
}

func TestTheCoreOfLifecycleRequiresNoModule(t *testing.T) {
	if required := requireLine.FindAllString(read(t, "pkg/lifecycle/go.mod"), -1); len(required) > 0 {
		t.Errorf("pkg/lifecycle requires %v", required)
	}
}

// Who checks calls must not download a database driver or an exporter.
func TestTheInterceptorsRequireNoStoreAndNoTelemetry(t *testing.T) {
	for _, required := range requireLine.FindAllString(read(t, "pkg/interceptors/go.mod"), -1) {
		for _, heavy := range []string{"go-redis", "/pgx", "opentelemetry", "franz-go", "grpc-gateway"} {
			if strings.Contains(required, heavy) {
				t.Errorf("pkg/interceptors requires %s", strings.TrimSpace(required))
			}
		}
	}
}

// Who wants one thing must not download the libraries of another.
func TestALibraryIsRequiredDirectlyOnlyByTheModulesThatUseIt(t *testing.T) {
	for library, allowed := range map[string][]string{
		"github.com/redis/go-redis/v9":   {"bench", "pkg/interceptors/revocation/redis"},
		"github.com/alecthomas/kong":     {"pkg/server", "pkg/localenv", "cmd/curfew", "services", "e2e", "bench"},
		"github.com/tink-crypto/tink-go": {"pkg/server", "services", "cmd/curfew"},
	} {
		for _, name := range moduleFiles(t) {
			dir := path.Dir(name)
			may := slices.ContainsFunc(allowed, func(tree string) bool { return within(dir, tree) })
			for line := range strings.Lines(read(t, name)) {
				if strings.Contains(line, library) && !strings.Contains(line, "// indirect") && !may && dir != "tools" {
					t.Errorf("%s requires %s", name, library)
				}
			}
		}
	}
}
