package database_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
)

// patience bounds every wait, for a busy machine.
const patience = 30 * time.Second

// execute runs a statement as the superuser.
func execute(t *testing.T, admin, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// connections is how many a role has.
func connections(t *testing.T, admin, role string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", role).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// load queries as hard as it can until it is stopped, and reports every failure.
type load struct {
	done    chan struct{}
	workers sync.WaitGroup
	queries atomic.Int64
	user    atomic.Value
}

func begin(t *testing.T, pool *pgxpool.Pool) *load {
	t.Helper()
	l := &load{done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	for range 6 {
		l.workers.Go(func() {
			for {
				select {
				case <-l.done:
					return
				default:
				}
				var user string
				if err := pool.QueryRow(ctx, "SELECT current_user").Scan(&user); err != nil {
					t.Errorf("query %d: %v", l.queries.Load(), err)
					return
				}
				l.queries.Add(1)
				l.user.Store(user)
			}
		})
	}
	t.Cleanup(cancel)
	return l
}

func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.done)
	l.workers.Wait()
	t.Logf("%d queries", l.queries.Load())
}

// awaitCondition looks until it is so, or fails the test.
func awaitCondition(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !is(); <-tick.C {
		if t.Failed() || time.Now().After(end) {
			t.Fatalf("not so: %s", what)
		}
	}
}

// TestAPasswordIsRotatedUnderLoadWithoutAFailedQuery: a role has one password,
// and the file and the role cannot be changed in one instant. Two roles in turn
// can: the file goes to the other one, and when nobody uses the first any more,
// its password is changed.
func TestAPasswordIsRotatedUnderLoadWithoutAFailedQuery(t *testing.T) {
	admin := pgtest.Database(t, nil)
	first, second := roles(t, admin)
	path := filepath.Join(t.TempDir(), "url")
	const short = "&pool_max_conn_lifetime=100ms&pool_max_conn_lifetime_jitter=50ms&pool_max_conns=4"
	put(t, path, as(t, admin, first)+short, 0o600)
	cfg, err := database.Source{File: path}.Parse("test")
	if err != nil {
		t.Fatal(err)
	}
	dials := observe(cfg)
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	l := begin(t, pool)
	// unused waits until a role that the file does not name any more has no
	// connection and none is on its way, by what the file said before.
	unused := func(role string) {
		t.Helper()
		before := dials.count()
		awaitCondition(t, "who connects is done", func() bool { return dials.ended(before) })
		awaitCondition(t, role+" has no connection", func() bool { return connections(t, admin, role) == 0 })
	}
	awaitCondition(t, "the first role is used", func() bool { return l.user.Load() == first })
	replace(t, path, as(t, admin, second)+short)
	unused(first)
	execute(t, admin, "ALTER ROLE "+first+" PASSWORD 'rotated'")
	before := pool.Stat().NewConnsCount()
	awaitCondition(t, "connections are made with the second role", func() bool { return pool.Stat().NewConnsCount() > before+4 })
	// Back, with the new password: the next rotation.
	replace(t, path, strings.Replace(as(t, admin, first), "s3cret", "rotated", 1)+short)
	unused(second)
	execute(t, admin, "ALTER ROLE "+second+" PASSWORD 'rotated'")
	l.end(t)
	if l.user.Load() != first {
		t.Errorf("the last query was of %v", l.user.Load())
	}
}

// dials are the connections that were begun, in order, and whether each is made.
type dials struct {
	mu   sync.Mutex
	made []bool
}

// observe notes when a pool begins a connection, before it reads the file, and
// when that is made.
func observe(cfg *pgxpool.Config) *dials {
	d := &dials{}
	read := cfg.BeforeConnect
	cfg.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
		n := d.begin()
		c.AfterConnect = func(context.Context, *pgconn.PgConn) error { d.end(n); return nil }
		return read(ctx, c)
	}
	return d
}

func (d *dials) begin() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made = append(d.made, false)
	return len(d.made) - 1
}

func (d *dials) end(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made[n] = true
}

func (d *dials) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.made)
}

// ended tells whether the first n are made.
func (d *dials) ended(n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !slices.Contains(d.made[:n], false)
}

// replace writes a file as it should be done: whole, in one instant.
func replace(t *testing.T, path, content string) {
	t.Helper()
	put(t, path+".new", content, 0o600)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestAPasswordThatIsChangedInPlaceNeedsNoRestart: new connections fail until the
// file follows; those that are open go on.
func TestAPasswordThatIsChangedInPlaceNeedsNoRestart(t *testing.T) {
	admin := pgtest.Database(t, nil)
	first, _ := roles(t, admin)
	path := filepath.Join(t.TempDir(), "url")
	put(t, path, as(t, admin, first), 0o600)
	pool, err := database.Source{File: path}.Open(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	open, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Release()
	execute(t, admin, "ALTER ROLE "+first+" PASSWORD 'rotated'")
	if _, err := open.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("an open connection: %v", err)
	}
	const invalidPassword = "28P01"
	err = pool.Ping(t.Context())
	if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != invalidPassword || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a new connection before the file: %v", err)
	}
	replace(t, path, strings.Replace(as(t, admin, first), "s3cret", "rotated", 1))
	if err := pool.Ping(t.Context()); err != nil {
		t.Errorf("a new connection after the file: %v", err)
	}
}

func TestAFileOfTheURLThatBreaksIsReportedOnceAndTheOneBeforeIsUsed(t *testing.T) {
	admin := pgtest.Database(t, nil)
	path := filepath.Join(t.TempDir(), "url")
	put(t, path, admin, 0o600)
	var log bytes.Buffer
	pool, err := database.Source{File: path, Log: slog.New(slog.NewTextHandler(&log, nil))}.Open(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, step := range []struct {
		change func()
		level  string // "": nothing is said
		about  string
	}{
		{func() {}, "", ""},
		{func() { put(t, path, admin[:4], 0o600) }, "WARN", "cannot be parsed"},
		{func() {}, "", ""},
		{func() { put(t, path, admin, 0o644) }, "WARN", "open to every user"},
		{func() { _ = os.Remove(path) }, "WARN", "no such file"},
		{func() { put(t, path, admin, 0o600) }, "INFO", "again"},
		{func() { put(t, path, admin+"&sslmode=verify-ca&sslrootcert="+path+".none", 0o600) }, "WARN", "no such file"},
		{func() { put(t, path, admin, 0o600) }, "INFO", "again"},
	} {
		log.Reset()
		step.change()
		pool.Reset()
		if err := pool.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", step.about, err)
		}
		got := log.String()
		if (step.level == "") != (got == "") || !strings.Contains(got, step.level) || !strings.Contains(got, step.about) || strings.Count(got, "\n") > 1 {
			t.Errorf("want %s about %q, got %q", step.level, step.about, got)
		}
		if u, _ := url.Parse(admin); strings.Contains(got, password(u)) {
			t.Errorf("the log tells the password: %s", got)
		}
	}
}

func password(u *url.URL) string {
	p, _ := u.User.Password()
	return p
}
