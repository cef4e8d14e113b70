package postgres

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/scratch"
)

// A machine without PostgreSQL: what is downloaded has to serve.
func TestDownloadedBinariesServe(t *testing.T) {
	f, err := scratch.Make("curfew-bundle-test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Remove() }()
	if err := os.Chmod(f.Path(), 0o711); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binaries, err := download(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if major, err := version(ctx, binaries.Dir); err != nil || major != bundleMajor {
		t.Errorf("version %d, %v", major, err)
	}
	c, err := prepareWith(ctx, Config{Dir: filepath.Join(f.Path(), "state")}, func(int) (Binaries, error) { return binaries, nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if !c.hasStatements() {
		t.Error("the bundle's pg_stat_statements was not found")
	}
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}
