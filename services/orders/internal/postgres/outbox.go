package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/events"
)

const leasePartsSQL = `UPDATE outbox_leases l SET until = now() + $2, holder = $1, epoch = l.epoch + (l.holder <> $1)::int
WHERE l.part IN (SELECT part FROM outbox_leases WHERE holder = $1 OR until < now() ORDER BY part FOR NO KEY UPDATE SKIP LOCKED)
RETURNING l.part`

// LeaseParts takes or keeps the parts of the outbox that nobody else holds. It
// saves double work, nothing else: two relays on one part are harmless.
func (s *Store) LeaseParts(ctx context.Context, holder string, ttl time.Duration) ([]int16, error) {
	rows, err := s.write.Query(ctx, leasePartsSQL, holder, ttl)
	if err != nil {
		return nil, fmt.Errorf("lease parts: %w", unavailable(err))
	}
	parts, err := pgx.CollectRows(rows, pgx.RowTo[int16])
	if err != nil {
		return nil, fmt.Errorf("lease parts: %w", unavailable(err))
	}
	return parts, nil
}

const releasePartsSQL = `UPDATE outbox_leases SET until = '-infinity' WHERE holder = $1`

// ReleaseParts lets another relay take the parts at once.
func (s *Store) ReleaseParts(ctx context.Context, holder string) error {
	if _, err := s.write.Exec(ctx, releasePartsSQL, holder); err != nil {
		return fmt.Errorf("release parts: %w", unavailable(err))
	}
	return nil
}

// By seq among what is there, with no mark and no transaction id: a row that
// commits late has a smaller seq than rows that were read before, and is still found.
const unpublishedSQL = `SELECT o.seq, e.event_id, o.order_id, r.user_id, o.order_version, e.type, coalesce(e.from_state, 0), e.to_state, e.action, e.actor, e.create_time
FROM unnest($1::smallint[]) AS p (part)
CROSS JOIN LATERAL (SELECT seq, order_id, order_version FROM outbox_events WHERE part = p.part ORDER BY seq LIMIT $2) o
JOIN order_events e ON e.order_id = o.order_id AND e.order_version = o.order_version
JOIN orders r ON r.order_id = o.order_id
ORDER BY o.seq`

// Unpublished returns at most limit events of each part, by seq.
func (s *Store) Unpublished(ctx context.Context, parts []int16, limit int) ([]events.Unpublished, error) {
	rows, err := s.write.Query(ctx, unpublishedSQL, parts, limit)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", unavailable(err))
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u events.Unpublished, err error) {
		e := &u.Event
		err = row.Scan(&u.Seq, &e.ID, &e.Order, &e.User, &e.Version, &e.Type, &e.From, &e.To, &e.Action, &e.Actor, &e.CreateTime)
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", unavailable(err))
	}
	return found, nil
}

const publishedSQL = `DELETE FROM outbox_events WHERE seq = ANY ($1)`

// Published deletes exactly the events that the broker acknowledged.
func (s *Store) Published(ctx context.Context, seqs []int64) error {
	if _, err := s.write.Exec(ctx, publishedSQL, seqs); err != nil {
		return fmt.Errorf("delete published events: %w", unavailable(err))
	}
	return nil
}
