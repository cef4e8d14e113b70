package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/postgres"
)

// private is the server of this test binary.
//
//nolint:gochecknoglobals // Shared by all tests of a binary, which have no other common owner.
var private struct {
	sync.Mutex

	cluster *postgres.Cluster
	dir     string
	lock    *os.File
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

// Main runs the tests of a package and stops its private server. Use it in
// TestMain, alone or, where another runner wraps it, through Runner.
func Main(m *testing.M) { Runner{m}.Run() }

// Runner is a testing.M that stops the private server after the tests, so that
// goleak.VerifyTestMain(pgtest.Runner{M: m}) finds nothing of it.
type Runner struct{ M *testing.M }

// Run runs the tests and returns their exit status.
func (r Runner) Run() int {
	code := r.M.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the private PostgreSQL:", err)
	}
	return code
}

const prefix = "curfew-pgtest-"

func start() (err error) {
	sweep()
	// The folder gets the name that sweep looks for once it is locked.
	unlocked, err := os.MkdirTemp("", "new-"+prefix)
	if err != nil {
		return err
	}
	if private.lock, err = hold(unlocked); err != nil {
		return err
	}
	private.dir = filepath.Join(filepath.Dir(unlocked), strings.TrimPrefix(filepath.Base(unlocked), "new-"))
	if err := os.Rename(unlocked, private.dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cluster, err := postgres.Prepare(ctx, postgres.Config{Dir: private.dir})
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
	if private.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := private.cluster.Stop(ctx)
	private.cluster = nil
	return errors.Join(err, os.RemoveAll(private.dir), private.lock.Close())
}

// hold locks a folder for the life of this process.
func hold(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// sweep removes the folders of test binaries that were killed: their servers
// ended with them, their locks are free. Failing is harmless.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*")) // The pattern is valid.
	for _, dir := range dirs {
		lock, err := hold(dir)
		if err != nil {
			continue
		}
		_ = os.RemoveAll(dir)
		_ = lock.Close()
	}
}
