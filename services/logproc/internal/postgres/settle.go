package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/worker"
)

// Books is the parent's access to the ledger. Safe for concurrent use.
type Books struct {
	Pool  *pgxpool.Pool
	Group string
}

// The new epoch waits for the row lock of a backend that is still committing
// and stops one that has not begun to; after it the sum is final.
const (
	endSQL = `
UPDATE ledger SET epoch = epoch + 1, updated_at = clock_timestamp()
WHERE group_id = $1 AND topic = $2 AND partition = $3 AND token = $4`
	sumSQL = `
SELECT coalesce(sum(read), 0)::bigint AS read, coalesce(sum(stored), 0)::bigint AS stored,
    coalesce(sum(dead), 0)::bigint AS dead, coalesce(sum(sampled), 0)::bigint AS sampled
FROM batches WHERE token = $1`
)

// Settle ends the lease with that token and returns what was committed under it.
func (b *Books) Settle(ctx context.Context, key ledger.Key, token uuid.UUID) (worker.Tally, error) {
	if _, err := b.Pool.Exec(ctx, endSQL, b.Group, key.Topic, key.Partition, token); err != nil {
		return worker.Tally{}, fmt.Errorf("settle %s: %w", key, err)
	}
	rows, err := b.Pool.Query(ctx, sumSQL, token)
	if err != nil {
		return worker.Tally{}, fmt.Errorf("settle %s: %w", key, err)
	}
	sum, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByNameLax[tallyRow])
	if err != nil {
		return worker.Tally{}, fmt.Errorf("settle %s: %w", key, err)
	}
	return worker.Tally{Read: sum.Read, Stored: sum.Stored, Dead: sum.Dead, Sampled: sum.Sampled}, nil
}

type tallyRow struct{ Read, Stored, Dead, Sampled int64 }
