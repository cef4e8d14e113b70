package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/auth"
	"github.com/curfew-platform/curfew/services/logproc"
	"github.com/curfew-platform/curfew/services/orders"
)

// fences sets what is no table in the output of --check apart.
var fences = strings.NewReplacer("\nchain", "\n```\nchain", "\nauthorization:\n", "```\n\n")

var update = flag.Bool("update", false, "write the reference pages anew")

// TestTheReferencePagesSayWhatTheProgramsDo holds docs/authorization.md and
// docs/configuration.md against the programs; -update writes them.
func TestTheReferencePagesSayWhatTheProgramsDo(t *testing.T) {
	commands := []server.Command{auth.Command(), orders.Command(), logproc.Command()}
	var rules, flags bytes.Buffer
	fmt.Fprint(&rules, "# Who may call what\n\nGenerated from the method options of the .proto files and the permission files of the services: `go test ./cmd/curfew -update`.\n")
	fmt.Fprint(&flags, "# Configuration\n\nGenerated from what `--help` prints: `go test ./cmd/curfew -update`. Every flag is also read from the variable beside it; the command line wins.\n")
	for _, cmd := range commands {
		fmt.Fprintf(&rules, "\n## %s\n", cmd.Name)
		var check strings.Builder
		if err := server.WriteCheck(cmd, &check); err != nil {
			t.Fatal(err)
		}
		rules.WriteString(fences.Replace(check.String()))
		fmt.Fprintf(&flags, "\n## %s\n\n```\n", cmd.Name)
		server.WriteHelp(cmd, &flags)
		fmt.Fprint(&flags, "```\n")
	}
	for file, want := range map[string][]byte{"../../docs/authorization.md": rules.Bytes(), "../../docs/configuration.md": flags.Bytes()} {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what the programs say; run the test with -update:\n%s", file, diff)
		}
	}
}
