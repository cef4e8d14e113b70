package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// One replica folds at a time; the others find nothing to do.
const foldLockSQL = `SELECT pg_try_advisory_xact_lock(hashtextextended('orders: fold statistics', 0))`

const foldStatsSQL = `WITH d AS (
  DELETE FROM stats_deltas WHERE delta_id IN (SELECT delta_id FROM stats_deltas ORDER BY delta_id LIMIT $1)
  RETURNING hour, state, currency, orders, units, gross_minor, refunded_minor),
folded AS (
  INSERT INTO stats_hours AS h (hour, state, currency, orders, units, gross_minor, refunded_minor)
  SELECT hour, state, currency, sum(orders), sum(units), sum(gross_minor), sum(refunded_minor) FROM d GROUP BY 1, 2, 3
  ON CONFLICT (hour, state, currency) DO UPDATE SET orders = h.orders + excluded.orders, units = h.units + excluded.units,
    gross_minor = h.gross_minor + excluded.gross_minor, refunded_minor = h.refunded_minor + excluded.refunded_minor)
SELECT count(*) FROM d`

// FoldStats moves at most limit changes into their hours and returns how many.
// A reader sees the same sums before, between and after.
func (s *Store) FoldStats(ctx context.Context, limit int) (folded int, err error) {
	var alone bool
	lock := func(b *pgx.Batch) {
		b.Queue(foldLockSQL).QueryRow(func(row pgx.Row) error { return row.Scan(&alone) })
	}
	err = s.transact(ctx, lock, func(tx pgx.Tx) error {
		if !alone {
			return nil
		}
		return tx.QueryRow(ctx, foldStatsSQL, limit).Scan(&folded)
	})
	if err != nil {
		return 0, fmt.Errorf("fold statistics: %w", err)
	}
	return folded, nil
}
