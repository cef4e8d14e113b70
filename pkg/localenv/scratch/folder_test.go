package scratch_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/curfew-platform/curfew/pkg/localenv/scratch"
)

func TestAnAbandonedFolderIsSweptAndAHeldOneIsKept(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	held, err := scratch.Make("kind")
	if err != nil {
		t.Fatal(err)
	}
	// What a killed process leaves: a folder whose lock nobody holds.
	abandoned := filepath.Join(os.TempDir(), "kind-abandoned")
	if err := os.Mkdir(abandoned, 0o700); err != nil {
		t.Fatal(err)
	}
	next, err := scratch.Make("kind")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(abandoned); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the abandoned folder is still there: %v", err)
	}
	if _, err := os.Stat(held.Path()); err != nil {
		t.Errorf("the held folder was removed: %v", err)
	}
	for _, folder := range []*scratch.Folder{held, next} {
		if err := folder.Remove(); err != nil {
			t.Error(err)
		}
	}
}
