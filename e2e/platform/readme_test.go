package platform

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var tryBlock = regexp.MustCompile("(?s)<!-- try -->\n```sh\n(.*?)```")

// TestTheCommandsOfTheReadmeDoWhatItSays runs them as they stand, but for the
// state folder, whose variables are here already.
func TestTheCommandsOfTheReadmeDoWhatItSays(t *testing.T) {
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := tryBlock.FindSubmatch(content)
	if m == nil {
		t.Fatal("README.md has no block of commands to try")
	}
	source, commands, _ := strings.Cut(string(m[1]), "\n")
	if !strings.HasPrefix(source, ". .state/dev/env") {
		t.Fatalf("the first command is %q", source)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-ec", commands).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rest := string(out)
	for _, want := range []string{platform.CustomerEmail, `"revocation"`, "TOKEN_REVOKED"} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %s in %s", want, out)
		}
		rest = after
	}
}
