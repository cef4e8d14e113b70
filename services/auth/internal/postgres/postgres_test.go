package postgres_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const issuer = "https://auth.curfew.dev"

func migrated(ctx context.Context, url string) error {
	return database.Migrate(ctx, url, "", postgres.Migrations(), slog.New(slog.DiscardHandler))
}

// db is a store and the pool under it.
type db struct {
	*postgres.Store
	pool *pgxpool.Pool
}

// open gives a database with at most this many connections, 8 if it is not said.
func open(t *testing.T, connections ...int32) db {
	t.Helper()
	cfg, err := database.ParseURL(pgtest.Database(t, migrated), "test")
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = 8
	if len(connections) > 0 {
		cfg.MaxConns = connections[0]
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return db{postgres.New(pool, issuer, 10*time.Minute), pool}
}

func (d db) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := d.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func scan[T any](t *testing.T, d db, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := d.pool.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func newID(t testing.TB) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// user makes a user with a credential.
func (d db) user(t *testing.T) account.User {
	t.Helper()
	id := newID(t)
	u, err := d.CreateUser(t.Context(), account.NewUser{
		ID: id, Email: id.String() + "@example.com", Roles: []string{account.RoleCustomer}, PasswordHash: "hash 1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// verified is a session to open for a user of version and epoch 1.
func verified(t testing.TB, user uuid.UUID) account.NewSession {
	t.Helper()
	return account.NewSession{
		ID: newID(t), TokenID: newID(t), MACKey: 7, UserID: user, CredVersion: 1, Epoch: 1,
		Absolute: 24 * time.Hour, Cap: 5, Idle: 12 * time.Hour,
	}
}

// session opens one that is old enough to rotate at once.
func (d db) session(t *testing.T, user uuid.UUID) account.Generation {
	t.Helper()
	g, err := d.OpenSession(t.Context(), verified(t, user))
	if err != nil {
		t.Fatal(err)
	}
	d.age(t, g.SessionID, time.Minute)
	return g
}

// age lets time pass for one session.
func (d db) age(t *testing.T, session uuid.UUID, by time.Duration) {
	t.Helper()
	d.exec(t, `UPDATE sessions SET rotated_at = rotated_at - $2::interval, handed_at = handed_at - $2::interval, issued_at = issued_at - $2::interval WHERE id = $1`, session, by)
}
