// Package postgres is a revocation source that keeps its rules in a table of
// PostgreSQL and asks it on every call: one statement, one round trip.
//
// A rule is in force on every replica when its transaction has committed.
// Written in the transaction of the change that revokes, it comes into force
// together with the change. Running calls are not cancelled. While the primary
// does not answer, nothing is known, and all methods refuse calls, except those
// that introspect.
package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// Schema creates the table, for a migration of the owner of the database. It
// may run again.
//
//go:embed schema.sql
var Schema string

//go:embed check.sql
var checkStatement string

//go:embed write.sql
var writeStatement string

//go:embed expire.sql
var expireStatement string

// DB is a pool, a connection or a transaction of pgx.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// DefaultTimeout bounds one look-up.
const DefaultTimeout = 250 * time.Millisecond

// Source asks PostgreSQL. Create it with [New]. Safe for concurrent use if its
// DB is.
type Source struct {
	db      DB
	log     *slog.Logger
	timeout time.Duration
}

var _ revocation.ContextSource = (*Source)(nil)

// Options are the optional settings of a [Source].
type Options struct {
	// Timeout of one look-up. Default [DefaultTimeout].
	Timeout time.Duration
}

// New returns a source that asks db, which must be a pool of connections to the
// primary. db and log are required.
func New(db DB, log *slog.Logger, o Options) (*Source, error) {
	if db == nil || log == nil {
		return nil, errors.New("postgres revocations: a database and a logger are required")
	}
	if o.Timeout < 0 {
		return nil, errors.New("postgres revocations: the timeout is negative")
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return &Source{db: db, log: log, timeout: o.Timeout}, nil
}

// CheckContext implements revocation.ContextSource.
func (s *Source) CheckContext(ctx context.Context, id *identity.Identity) revocation.Verdict {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var standby, revoked bool
	err := s.db.QueryRow(ctx, checkStatement, id.Issuer, id.TokenID, id.SessionID, id.Subject, id.KeyID, id.Epoch).Scan(&standby, &revoked)
	if err != nil {
		s.log.WarnContext(ctx, "postgresql does not tell revocations", slog.String("error", err.Error()))
		return revocation.Verdict{StaleFor: revocation.Unknown}
	}
	// A standby lags: what it does not have may be in force.
	if standby {
		return revocation.Verdict{Revoked: revoked, StaleFor: revocation.Unknown}
	}
	return revocation.Verdict{Revoked: revoked, Fresh: true}
}

// Check implements revocation.Source.
func (s *Source) Check(id *identity.Identity) revocation.Verdict {
	return s.CheckContext(context.Background(), id)
}

// Revoke writes rules with db. If that is the transaction of the change that
// revokes, they come into force when it commits; if it is a pool, when Revoke
// returns. If a rule is invalid, Revoke returns an error and writes none.
func Revoke(ctx context.Context, db DB, rules ...revocation.Rule) error {
	rows, err := rowsOf(rules)
	if err != nil || len(rows.kinds) == 0 {
		return err
	}
	if _, err := db.Exec(ctx, writeStatement, rows.kinds, rows.issuers, rows.ids, rows.values, rows.ends); err != nil {
		return fmt.Errorf("postgres revocations: %w", err)
	}
	return nil
}

// Expire deletes at most limit rules that no valid token can match any more
// ([revocation.Rule.ForgetAfter]), and returns how many it deleted. Call it
// from time to time, and repeat it while it deletes limit rules.
func Expire(ctx context.Context, db DB, limit int) (int, error) {
	tag, err := db.Exec(ctx, expireStatement, limit)
	if err != nil {
		return 0, fmt.Errorf("postgres revocations: expire: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
