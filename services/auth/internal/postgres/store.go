// Package postgres is the database of services/auth: one file per use case,
// its statement beside it.
//
// Locks are taken in one order everywhere: external issuers, users, sessions,
// the head of the feed. The head comes last and right before the commit, because everything
// that revokes waits for it.
package postgres

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the goose migrations.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Why a session ended, as sessions.reason.
const (
	reasonReuse       = 1
	reasonEnded       = 2
	reasonEvicted     = 3
	reasonPassword    = 4
	reasonDeactivated = 5
)

// Store is the database. It is safe for concurrent use.
type Store struct {
	pool   *pgxpool.Pool
	issuer string
	// keep is how long a rule lives: until no token that it is about is valid.
	keep time.Duration
	// revoking holds one element per transaction that may wait for the head.
	revoking chan struct{}
}

// New returns a Store over the primary, of the tokens of issuer. ruleLife is the
// longest life that verifiers admit of any token, not only of those that are
// made today, plus leeway plus the largest clock error.
func New(pool *pgxpool.Pool, issuer string, ruleLife time.Duration) *Store {
	return &Store{pool: pool, issuer: issuer, keep: ruleLife, revoking: make(chan struct{}, revokers)}
}

// transact runs do in one READ COMMITTED transaction.
func (s *Store) transact(ctx context.Context, what string, do func(pgx.Tx) error) error {
	if err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, do); err != nil {
		return wrap(what, err)
	}
	return nil
}

// one collects the only row of a query into T by column names.
func one[T any](rows pgx.Rows, err error) (T, error) {
	if err != nil {
		var zero T
		return zero, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])
}

// all collects every row of a query into T by column names.
func all[T any](rows pgx.Rows, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[T])
}

// instead replaces pgx.ErrNoRows.
func instead(err, noRows error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return noRows
	}
	return err
}

// column collects the only column of every row.
func column[T any](rows pgx.Rows, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

// optional is the zero time if there is none.
func optional(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}
