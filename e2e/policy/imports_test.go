package policy

import (
	"slices"
	"strings"
	"testing"
)

// within tells whether an import path or folder is the tree or below it.
func within(name, tree string) bool { return name == tree || strings.HasPrefix(name, tree+"/") }

// area is the part of the repository that a folder belongs to: a service with
// its name, else the module tree.
func area(dir string) string {
	parts := strings.Split(dir, "/")
	switch {
	case len(parts) >= 2 && (parts[0] == "services" || parts[0] == "pkg" || parts[0] == "cmd"):
		return parts[0] + "/" + parts[1]
	default:
		return parts[0]
	}
}

func TestImportsPointFromServicesToPackagesToProto(t *testing.T) {
	// What each area may import of its siblings; everything may import itself and proto.
	allowed := map[string][]string{
		"proto":            {},
		"pkg/lifecycle":    {"pkg/localenv"}, // Tests of its adapters.
		"pkg/interceptors": {"pkg/lifecycle", "pkg/localenv"},
		"pkg/server":       {"pkg/lifecycle", "pkg/interceptors", "pkg/localenv"},
		"pkg/localenv":     {"pkg/lifecycle"},
		"services/auth":    {"pkg"},
		"services/orders":  {"pkg"},
		"services/logproc": {"pkg"},
		"cmd/curfew":       {"pkg", "services"},
		"e2e":              {"pkg"},
		"bench":            {"pkg", "e2e"}, // The same stand and the same oracles.
		"tools":            {},
	}
	for _, s := range allSources(t) {
		from := area(s.dir())
		may, known := allowed[from]
		if !known {
			t.Errorf("%s: no rule says what %s may import", s.path, from)
			continue
		}
		for _, imported := range s.imports() {
			to, ours := strings.CutPrefix(imported, modulePrefix)
			if !ours || area(to) == from || within(to, "proto") {
				continue
			}
			if !slices.ContainsFunc(may, func(tree string) bool { return within(to, tree) }) {
				t.Errorf("%s imports %s: %s may import %v only", s.path, to, from, may)
			}
		}
	}
}

func TestTheCoreOfLifecycleImportsTheStandardLibraryOnly(t *testing.T) {
	for _, s := range allSources(t) {
		if s.dir() != "pkg/lifecycle" && !within(s.dir(), "pkg/lifecycle/httpserver") {
			continue
		}
		for _, imported := range s.imports() {
			first, _, _ := strings.Cut(imported, "/")
			if strings.Contains(first, ".") && !within(imported, modulePrefix+"pkg/lifecycle") {
				t.Errorf("%s imports %s", s.path, imported)
			}
		}
	}
}

// adapters are the packages of a service that may know a transport or a store,
// by the last element of their path. All others are domain.
var adapters = map[string][]string{
	"google.golang.org/grpc":      {"rpc", "control", "revocations"},
	"github.com/jackc/pgx":        {"postgres", "simulated"}, // The simulated payment provider has a table for its other side.
	"github.com/twmb/franz-go":    {"events", "kafka"},
	"github.com/redis/go-redis":   {},
	"github.com/grpc-ecosystem":   {"rpc"},
	"google.golang.org/protobuf":  {"rpc", "events", "control", "postgres", "revocations"},
	"net/http":                    {"rpc", "jwks"}, // jwks: keys of issuers that are not us
	"database/sql":                {"postgres"},
	"github.com/alecthomas/kong":  {},
	modulePrefix + "proto/gen":    {"rpc", "events", "control", "postgres", "revocations"},
	modulePrefix + "pkg/localenv": {},
}

func TestTheDomainOfAServiceKnowsNeitherTransportNorStore(t *testing.T) {
	for _, s := range allSources(t) {
		parts := strings.Split(s.dir(), "/")
		if s.isTest() || len(parts) < 4 || parts[0] != "services" || parts[2] != "internal" {
			continue
		}
		if strings.HasSuffix(parts[3], "test") {
			continue // Support for tests, such as ordertest.
		}
		for _, imported := range s.imports() {
			for library, by := range adapters {
				if strings.HasPrefix(imported, library) && !slices.Contains(by, parts[len(parts)-1]) && !slices.Contains(by, parts[3]) {
					t.Errorf("%s imports %s: only %v may", s.path, imported, by)
				}
			}
		}
	}
}
