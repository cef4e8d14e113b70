package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/server/keyset/keysettest"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

func replacement(t *testing.T) signingkey.Stored {
	t.Helper()
	keys := keysettest.New(t)
	key, err := signingkey.Replacement(keys)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The limit of statements is for calls; all users and sessions take as long as they take.
func TestARestoreOfManyUsersIsRepairedHoweverLongThatTakes(t *testing.T) {
	d := open(t)
	d.user(t)
	d.exec(t, `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END'`)
	d.exec(t, `CREATE TRIGGER slow BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION slow()`)
	cfg := d.pool.Config()
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = "100ms"
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	done, err := postgres.New(pool, issuer, 10*time.Minute).Recover(t.Context(), replacement(t), false)
	if err != nil || done.Users != 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestAReplicaThatBeginsToRunDuringARepairIsNotOverlooked(t *testing.T) {
	d := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tx, err := d.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := tx.Exec(ctx, `INSERT INTO revocation_engines (replica, incarnation, generation, watermark, watchers, lapsed, renewals, length, lease_until)
		VALUES ('one', '1', '', 0, 0, 0, 1, '6s', now() + interval '1 hour')`); err != nil {
		t.Fatal(err)
	}
	key, done := replacement(t), make(chan error, 1)
	go func() {
		_, err := d.Recover(ctx, key, false)
		done <- err
	}()
	for waits := false; !waits; {
		select {
		case err := <-done:
			t.Fatalf("did not wait for a replica that begins: %v", err)
		default:
			waits = scan[bool](t, d, `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	var running *postgres.ReplicasRunError
	if err := <-done; !errors.As(err, &running) || running.Replicas != 1 {
		t.Errorf("err = %v", err)
	}
}
