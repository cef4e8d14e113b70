package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// FiguresLimit bounds what Figures counts: a backlog is not made worse by counting it.
const FiguresLimit = 100_000

// Figures are how much work waits in the database.
type Figures struct {
	// Outbox is the number of events that Kafka has not acknowledged, FiguresLimit at most, and OutboxAge the
	// age of the oldest; 0 without events.
	Outbox    int64
	OutboxAge time.Duration
	// InFlight is the number of payment attempts that were sent and not answered, Indeterminate of those whose outcome
	// is unknown; PaymentAge is the age of the oldest of both.
	InFlight, Indeterminate int64
	PaymentAge              time.Duration
}

const figuresSQL = `SELECT
  (SELECT count(*) FROM (SELECT FROM outbox_events LIMIT $1) o) AS outbox,
  coalesce((SELECT extract(epoch FROM clock_timestamp() - e.create_time) FROM outbox_events o
    JOIN order_events e ON e.order_id = o.order_id AND e.order_version = o.order_version ORDER BY o.seq LIMIT 1), 0)::float8 AS outbox_age,
  count(*) FILTER (WHERE state = 'in_flight') AS in_flight,
  count(*) FILTER (WHERE state = 'indeterminate') AS indeterminate,
  coalesce(extract(epoch FROM clock_timestamp() - min(create_time)), 0)::float8 AS payment_age
FROM (SELECT state, create_time FROM payment_attempts WHERE state IN ('in_flight', 'indeterminate') ORDER BY next_check_time LIMIT $1) a`

type figuresRow struct {
	Outbox, InFlight, Indeterminate int64
	OutboxAge, PaymentAge           float64 // seconds
}

// Figures reads them from the reading pool.
func (s *Store) Figures(ctx context.Context) (Figures, error) {
	rows, err := s.read.Query(ctx, figuresSQL, FiguresLimit)
	if err != nil {
		return Figures{}, fmt.Errorf("figures: %w", unavailable(err))
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[figuresRow])
	if err != nil {
		return Figures{}, fmt.Errorf("figures: %w", unavailable(err))
	}
	seconds := func(s float64) time.Duration { return max(0, time.Duration(s*float64(time.Second))) }
	return Figures{
		Outbox: r.Outbox, OutboxAge: seconds(r.OutboxAge), InFlight: r.InFlight, Indeterminate: r.Indeterminate, PaymentAge: seconds(r.PaymentAge),
	}, nil
}
