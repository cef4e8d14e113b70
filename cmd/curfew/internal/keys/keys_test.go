package keys

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/server/keyset"
)

func TestAKeysetIsMadeAndRotatedInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.keyset.json")
	do := func(step string, want int) (printed, said string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := Main(&Flags{Step: step, File: path}, &out, &errs); got != want {
			t.Fatalf("%s: status %d: %s", step, got, errs.String())
		}
		return out.String(), errs.String()
	}
	first, _ := do("new", 0)
	if strings.Count(first, "primary") != 2 || strings.Count(first, "\n") != 2 {
		t.Errorf("new: %s", first)
	}
	if _, said := do("new", 1); !strings.Contains(said, "exists") {
		t.Errorf("a keyset was overwritten: %s", said)
	}
	if added, _ := do("add", 0); strings.Count(added, "waits to become primary") != 2 || strings.Count(added, "primary\n") != 4 {
		t.Errorf("add: %s", added)
	}
	if _, said := do("retire", 1); !strings.Contains(said, "nothing to do") {
		t.Errorf("retire before promote: %s", said)
	}
	do("promote", 0)
	shown, _ := do("show", 0)
	if strings.Count(shown, "opens what it made") != 2 || strings.Count(shown, "primary") != 2 {
		t.Errorf("promoted: %s", shown)
	}
	last, _ := do("retire", 0)
	if strings.Count(last, "\n") != 2 || last == first {
		t.Errorf("retired: %s", last)
	}
	if _, err := keyset.Load(path); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAFileThatIsNoKeysetIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"add", "promote", "retire", "show"} {
		var out, errs bytes.Buffer
		if got := Main(&Flags{Step: step, File: path}, &out, &errs); got == 0 || strings.Contains(errs.String(), "s3cret") {
			t.Errorf("%s: status %d: %s", step, got, errs.String())
		}
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "s3cret" {
		t.Errorf("%q, %v", content, err)
	}
	var out, errs bytes.Buffer
	if got := Main(&Flags{Step: "show", File: path + "-none"}, &out, &errs); got != 2 {
		t.Errorf("a missing file: status %d", got)
	}
}
