package database_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
)

// Who queues for a table has everybody queue who comes later: a backup of an hour
// would be an outage of an hour.
func TestAMigrationThatWaitsForATableHoldsNobodyUpForLong(t *testing.T) {
	url := pgtest.Database(t, nil)
	if err := database.Migrate(t.Context(), url, "", old, quiet); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	connect := func() *pgx.Conn {
		t.Helper()
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		return conn
	}
	backup, call := connect(), connect()
	tx, err := backup.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "LOCK TABLE things IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- database.Migrate(ctx, url, "", newer, quiet) }()
	for waits := false; !waits; {
		if err := call.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	soon, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	if _, err := call.Exec(soon, "SELECT FROM things"); err != nil {
		t.Errorf("a call waits behind the migration: %v", err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after the backup: %v", err)
	}
}
