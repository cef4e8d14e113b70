package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// SQLSTATEs that the transactions meet.
const (
	sqlDeadlock      = "40P01"
	sqlSerialization = "40001"
	sqlCancelled     = "57014"
)

// retries is how often a transaction that lost against another one runs again.
const retries = 3

// retryPause is the longest pause before the first repetition; it doubles.
const retryPause = 10 * time.Millisecond

// transact runs work in a READ COMMITTED transaction and commits. What first
// queues, if it is not nil, travels with the BEGIN and has its results before
// work is called. Deadlocks and serialization failures roll everything back, so
// first and work simply run again.
//
// The COMMIT travels alone: work may have asked the guard right before it, and
// only an error of the COMMIT itself leaves the outcome unknown.
func (s *Store) transact(ctx context.Context, first func(*pgx.Batch), work func(pgx.Tx) error) error {
	for try := 0; ; try++ {
		err := s.try(ctx, first, work)
		if err != nil && ctx.Err() != nil {
			// The call ended, not the database: what pgx says of a connection that
			// it closed for that reason would send the caller into a repetition.
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		if !lost(err) {
			return unavailable(err)
		}
		if try == retries {
			return fmt.Errorf("%w: %w", order.ErrContention, err)
		}
		if err := pause(ctx, rand.N(retryPause<<try)); err != nil { //nolint:gosec // Jitter.
			return err
		}
	}
}

func (s *Store) try(ctx context.Context, first func(*pgx.Batch), work func(pgx.Tx) error) error {
	var b pgx.Batch
	b.BeginTx(pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if first != nil {
		first(&b)
	}
	results := s.write.SendBatch(ctx, &b)
	tx := results.Tx()
	// A connection that cannot roll back is closed, and the server rolls back.
	defer tx.Rollback(ctx) //nolint:errcheck // An error before says more; after a commit there is nothing to do.
	if err := results.Close(); err != nil {
		return err
	}
	if err := work(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func lost(err error) bool {
	code := sqlState(err)
	return code == sqlDeadlock || code == sqlSerialization
}

func sqlState(err error) string {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Code
	}
	return ""
}

// violated says whether err is the violation of the named constraint.
func violated(err error, constraint string) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pe.ConstraintName == constraint
}

// unavailable marks errors that say nothing about the request: the server is
// gone, is going, or has no room. An outcome may then be unknown. A statement
// over its time limit is marked too, as something else: the server is well.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	if sqlState(err) == sqlCancelled {
		return fmt.Errorf("%w: %w", order.ErrTooLong, err)
	}
	if database.Unreachable(err) {
		return fmt.Errorf("%w: %w", order.ErrUnavailable, err)
	}
	return err
}
