package postgres

import (
	"context"
	"errors"
	"fmt"
)

const (
	aheadSQL  = "SELECT logs_prepare(current_date + $2::int, $1)"
	retainSQL = "SELECT logs_retain($1)"
	expireSQL = "SELECT logs_expire($1, $2)"
	pruneSQL  = `WITH pruned AS (
    DELETE FROM batches
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM batches WHERE at < now() - make_interval(days => $1) LIMIT $2))
    RETURNING 1)
SELECT count(*) FROM pruned`

	// daysAhead is how many days have their partition before they begin.
	daysAhead = 2
	// A piece is one transaction.
	maxPieces = 100
	pieceRows = 10_000
)

// Maintain makes the partitions of the days to come, drops those below the
// horizon, and removes in bounded pieces what is as old in the default
// partition and among the accounts of batches. A step that fails does not keep
// the others from being done; the error is that of all.
func (b *Books) Maintain(ctx context.Context, retentionDays int) error {
	var failed []error
	for day := range daysAhead + 1 {
		if _, err := b.Pool.Exec(ctx, aheadSQL, retentionDays, day); err != nil {
			failed = append(failed, fmt.Errorf("prepare day %d: %w", day, err))
		}
	}
	if _, err := b.Pool.Exec(ctx, retainSQL, retentionDays); err != nil {
		failed = append(failed, fmt.Errorf("drop old days: %w", err))
	}
	if err := b.pieces(ctx, expireSQL, retentionDays); err != nil {
		failed = append(failed, fmt.Errorf("expire rows without a day: %w", err))
	}
	if err := b.pieces(ctx, pruneSQL, retentionDays); err != nil {
		failed = append(failed, fmt.Errorf("prune batches: %w", err))
	}
	return errors.Join(failed...)
}

// pieces repeats a statement until it has nothing more to do, or has done
// enough for once.
func (b *Books) pieces(ctx context.Context, sql string, retentionDays int) error {
	for range maxPieces {
		var n int64
		if err := b.Pool.QueryRow(ctx, sql, retentionDays, pieceRows).Scan(&n); err != nil {
			return err
		}
		if n < pieceRows {
			return nil
		}
	}
	return nil
}
