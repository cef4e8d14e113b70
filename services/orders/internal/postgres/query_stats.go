package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// StatsQuery says which statistics are wanted.
type StatsQuery struct {
	From, Until time.Time
	// Bucket is hour, day or month.
	Bucket string
}

// StatsRow is one bucket of one state and one currency.
type StatsRow struct {
	Start         time.Time   `db:"bucket"`
	State         order.State `db:"state"`
	Currency      string      `db:"currency"`
	Orders        int64       `db:"orders"`
	Units         int64       `db:"units"`
	GrossMinor    int64       `db:"gross_minor"`
	RefundedMinor int64       `db:"refunded_minor"`
}

// StatsPosition is a place in the rows; the zero value is before the first.
type StatsPosition struct {
	Start    time.Time   `json:"t"`
	State    order.State `json:"s"`
	Currency string      `json:"c"`
}

// Stats is one page of statistics.
type Stats struct {
	Rows []*StatsRow
	More bool
	// Watermark: everything committed before it is counted.
	Watermark time.Time
}

// Asked first: the snapshot of the batch is taken after this statement's
// timestamp, so whatever was committed before it is in the snapshot. A standby
// knows only what it has replayed.
const watermarkSQL = `SELECT CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_xact_replay_timestamp(), '-infinity') ELSE statement_timestamp() END`

const statsSQL = `SELECT date_trunc($3, hour, 'UTC') AS bucket, state, currency, sum(orders)::bigint AS orders, sum(units)::bigint AS units,
  sum(gross_minor)::bigint AS gross_minor, sum(refunded_minor)::bigint AS refunded_minor
FROM (
  SELECT hour, state, currency, orders, units, gross_minor, refunded_minor FROM stats_hours WHERE hour >= $1 AND hour < $2
  UNION ALL
  SELECT hour, state, currency, orders, units, gross_minor, refunded_minor FROM stats_deltas WHERE hour >= $1 AND hour < $2) d
GROUP BY 1, 2, 3
HAVING sum(orders) <> 0 AND (date_trunc($3, hour, 'UTC'), state, currency) > ($4, $5, $6)
ORDER BY 1, 2, 3 LIMIT $7`

// QueryStats counts orders by the time of their creation, state and currency:
// 2 statements in one round trip, none of them on the tables of the orders.
func (s *Store) QueryStats(ctx context.Context, q StatsQuery, after StatsPosition, limit int) (*Stats, error) {
	var b pgx.Batch
	b.Queue(watermarkSQL)
	b.Queue(statsSQL, q.From.UTC().Truncate(time.Hour), q.Until.UTC().Truncate(time.Hour), q.Bucket, after.Start, after.State, after.Currency, limit+1)
	results := s.stats.SendBatch(ctx, &b)
	defer results.Close() //nolint:errcheck // Nothing is written; the reads report their errors.
	out := &Stats{}
	if err := results.QueryRow().Scan(&out.Watermark); err != nil {
		return nil, fmt.Errorf("read watermark: %w", unavailable(err))
	}
	rows, err := collect[StatsRow](results)
	if err != nil {
		return nil, fmt.Errorf("query statistics: %w", unavailable(err))
	}
	out.Watermark = out.Watermark.UTC()
	out.More = len(rows) > limit
	out.Rows = rows[:min(len(rows), limit)]
	return out, nil
}
