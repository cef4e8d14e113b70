package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/leak"
	"github.com/curfew-platform/curfew/pkg/localenv/postgres"
	"github.com/curfew-platform/curfew/pkg/localenv/scratch"
)

// private is the server of this test binary.
//
//nolint:gochecknoglobals // Shared by all tests of a binary, which have no other common owner.
var private struct {
	sync.Mutex

	cluster *postgres.Cluster
	folder  *scratch.Folder
	err     error
}

// Server returns the superuser URL of the test server and starts a private one
// when none is given.
func Server(t testing.TB) string {
	t.Helper()
	if shared := os.Getenv(ServerVariable); shared != "" {
		if _, err := url.Parse(shared); err != nil {
			t.Fatalf("%s is not a URL", ServerVariable) // The text may hold a password.
		}
		return shared
	}
	private.Lock()
	defer private.Unlock()
	if private.cluster == nil && private.err == nil {
		private.err = start()
	}
	if private.err != nil {
		t.Fatalf("start a private PostgreSQL: %v", private.err)
	}
	return private.cluster.URL("postgres")
}

// Main runs the tests of a package and stops its private server. They fail if a
// log that a harness watches shows a secret (package leak). Use it in
// TestMain, alone or, where another runner wraps it, through Runner.
func Main(m *testing.M) { os.Exit(Runner{m}.Run()) } //nolint:forbidigo // It is the main of a test program.

// Runner is a testing.M that stops the private server after the tests, so that
// goleak.VerifyTestMain(pgtest.Runner{M: m}) finds nothing of it.
type Runner struct{ M interface{ Run() int } }

// Run runs the tests and returns their exit status.
func (r Runner) Run() int {
	code := r.M.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the private PostgreSQL:", err)
	}
	return leak.Exit(code, os.Stderr)
}

func start() error {
	folder, err := scratch.Make("curfew-pgtest")
	if err != nil {
		return err
	}
	private.folder = folder
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cluster, err := postgres.Prepare(ctx, postgres.Config{Dir: folder.Path()})
	if err != nil {
		return err
	}
	if err := cluster.Start(ctx); err != nil {
		return err
	}
	private.cluster = cluster
	return nil
}

func stop() error {
	private.Lock()
	defer private.Unlock()
	var err error
	if private.cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err = private.cluster.Stop(ctx)
		private.cluster = nil
	}
	if private.folder != nil {
		err = errors.Join(err, private.folder.Remove())
		private.folder = nil
	}
	return err
}
