package postgres_test

import (
	"context"
	"io/fs"
	"log/slog"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
)

// until returns the migrations up to that one.
func until(t *testing.T, last string) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	names, err := fs.Glob(postgres.Migrations(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name > last {
			continue
		}
		content, err := fs.ReadFile(postgres.Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &fstest.MapFile{Data: content}
	}
	return out
}

// A backup has a transaction for hours. An index that is built without a lock
// waits for it, gives up after a second, and begins again; what it leaves behind
// each time is not valid and in the way.
func TestIndexesAreBuiltWhileABackupRunsAndCallsGoOn(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	url := pgtest.Database(t, func(ctx context.Context, url string) error {
		return database.Migrate(ctx, url, "", until(t, "00006~"), log)
	})
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	d := db{postgres.New(pool, issuer, time.Minute), pool}
	// As the release before did it.
	old := newID(t)
	d.exec(t, `INSERT INTO users (id, email, roles) VALUES ($1, 'anna@example.com', '{customer}')`, old)
	d.exec(t, `INSERT INTO sessions (id, user_id, token_kid, jti, expires_at) VALUES ($1, $1, 7, $1, now() + interval '1 day')`, old)

	backup, err := pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = backup.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := backup.Exec(t.Context(), `SELECT FROM users, sessions`); err != nil {
		t.Fatal(err)
	}
	migrated := make(chan error, 1)
	go func() { migrated <- database.Migrate(t.Context(), url, "", postgres.Migrations(), log) }()
	again := `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'DROP INDEX%' AND wait_event = 'virtualxid')`
	limit := time.After(30 * time.Second)
	for !scan[bool](t, d, again) {
		d.exec(t, `UPDATE users SET updated_at = now(), email = email WHERE id = $1`, old)
		d.exec(t, `UPDATE sessions SET rotated_at = now() WHERE id = $1`, old)
		select {
		case err := <-migrated:
			t.Fatalf("it did not wait: %v", err)
		case <-limit:
			t.Fatal("there was no second try")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := backup.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-migrated; err != nil {
		t.Fatal(err)
	}
	for _, index := range []string{"users_address", "sessions_external"} {
		if !scan[bool](t, d, `SELECT indisvalid FROM pg_index WHERE indexrelid = $1::regclass`, index) {
			t.Errorf("%s is not valid", index)
		}
	}
	if d.exec(t, `INSERT INTO users (id, email, roles) VALUES ($1, '', '{}'), ($2, '', '{}')`, newID(t), newID(t)); scan[int](t, d, `SELECT count(*) FROM users`) != 3 {
		t.Error("users without an address")
	}
}
