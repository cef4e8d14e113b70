package postgres_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
	"github.com/curfew-platform/curfew/pkg/localenv/postgres"
	"github.com/curfew-platform/curfew/pkg/localenv/scratch"
)

// folder is a state folder that the unprivileged account can reach: those of
// testing.T are closed to it.
func folder(t *testing.T) string {
	t.Helper()
	f, err := scratch.Make("curfew-postgres-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Remove(); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(f.Path(), "state")
}

func prepare(t *testing.T, dir string) *postgres.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// Every run of the package makes the folder above it, closed to others.
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	c, err := postgres.Prepare(ctx, postgres.Config{Dir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t *testing.T, dir string) *postgres.Cluster {
	t.Helper()
	c := prepare(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = c.Stop(ctx) // A test may have killed it.
	})
	return c
}

func query(t *testing.T, url, statement string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var text string
	if err := conn.QueryRow(t.Context(), statement).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func keep(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 'here'::text AS word"); err != nil {
		t.Fatal(err)
	}
}

func TestTheServerIsAPrivateOneThatNobodyElseCanReach(t *testing.T) {
	c := start(t, folder(t))
	if got := query(t, c.URL("postgres"), "SHOW listen_addresses"); got != "127.0.0.1" {
		t.Errorf("it listens on %s", got)
	}
	stranger := c.RoleURL(postgres.Superuser, "guess", "postgres")
	if conn, err := pgx.Connect(t.Context(), stranger); err == nil {
		_ = conn.Close(t.Context())
		t.Error("a wrong password was accepted")
	}
	if got := query(t, c.URL("postgres"), "SELECT usename FROM pg_stat_activity WHERE pid = pg_backend_pid()"); got != postgres.Superuser {
		t.Errorf("role %s", got)
	}
}

func TestDataSurvivesAKillOfTheServerAndItsStaleLockFile(t *testing.T) {
	dir := folder(t)
	first := start(t, dir)
	keep(t, first.URL("postgres"))
	pid := serverPid(t, dir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, dir, pid)
	// The number was given to somebody else since: this process, which PostgreSQL takes for its own server.
	replacePid(t, dir, os.Getpid())
	second := start(t, dir)
	if got := query(t, second.URL("postgres"), "SELECT word FROM kept"); got != "here" {
		t.Errorf("got %q", got)
	}
}

func TestAnOrphanedServerIsStoppedBeforeTheNextOneStarts(t *testing.T) {
	dir := folder(t)
	start(t, dir)
	orphan := serverPid(t, dir)
	second := start(t, dir)
	if err := syscall.Kill(orphan, 0); err == nil && daemon.CommandLine(orphan) != "" {
		t.Errorf("the orphan %d still runs", orphan)
	}
	if got := query(t, second.URL("postgres"), "SELECT 'served'"); got != "served" {
		t.Errorf("got %q", got)
	}
}

func TestAHalfMadeDataFolderIsMadeAnew(t *testing.T) {
	dir := folder(t)
	half := filepath.Join(dir, "postgres", "data.part")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, dir)
	if got := query(t, c.URL("postgres"), "SELECT 'served'"); got != "served" {
		t.Errorf("got %q", got)
	}
}

func TestADamagedOrForeignDataFolderIsNamed(t *testing.T) {
	for name, damage := range map[string]func(data string) error{
		"lost its password file": func(data string) error { return os.Remove(filepath.Join(filepath.Dir(data), "superuser")) },
		"is damaged":             func(data string) error { return os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("x"), 0o600) },
		"PostgreSQL 9":           func(data string) error { return os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("9\n"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			prepare(t, dir)
			if err := damage(filepath.Join(dir, "postgres", "data")); err != nil {
				t.Fatal(err)
			}
			_, err := postgres.Prepare(t.Context(), postgres.Config{Dir: dir})
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAStateFolderThatTheAccountCannotReachHasItsClusterElsewhere(t *testing.T) {
	// testing.T makes folders that are closed to other accounts.
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Chmod(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := postgres.Prepare(t.Context(), postgres.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	keep(t, c.URL("postgres"))
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	again, err := postgres.Prepare(ctx, postgres.Config{Dir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if got := query(t, again.URL("postgres"), "SELECT word FROM kept"); got != "here" {
		t.Errorf("got %q", got)
	}
	if err := again.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if home, err := os.ReadFile(filepath.Join(dir, "postgres.elsewhere")); err == nil {
		name, _, _ := strings.Cut(string(home), "\n")
		if err := os.RemoveAll(name); err != nil {
			t.Error(err)
		}
	}
}

func serverPid(t *testing.T, dir string) int {
	t.Helper()
	raw, err := os.ReadFile(lockFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func replacePid(t *testing.T, dir string, pid int) {
	t.Helper()
	raw, err := os.ReadFile(lockFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "\n")
	if err := os.WriteFile(lockFile(dir), []byte(strconv.Itoa(pid)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
}

func lockFile(dir string) string { return filepath.Join(dir, "postgres", "data", "postmaster.pid") }

// awaitGone waits until a server is gone, and those of its processes that it
// left: while one lives, its shared memory keeps another server from starting.
func awaitGone(t *testing.T, dir string, pid int) {
	t.Helper()
	data := filepath.Join(dir, "postgres", "data")
	left := func() bool {
		folders, _ := filepath.Glob("/proc/[0-9]*/cwd")
		return slices.ContainsFunc(folders, func(link string) bool {
			folder, err := os.Readlink(link)
			return err == nil && folder == data
		})
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for daemon.CommandLine(pid) != "" || left() {
		select {
		case <-t.Context().Done():
			t.Fatal("the server does not end")
		case <-tick.C:
		}
	}
}
