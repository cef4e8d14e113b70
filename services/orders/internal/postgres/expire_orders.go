package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

const overdueOrdersSQL = `SELECT order_id FROM orders WHERE state = 1 AND payment_expire_time <= now()
ORDER BY payment_expire_time LIMIT $1`

// ExpireOrders expires at most limit orders that were not paid in time, one
// transaction each, and returns how many. Only PENDING_PAYMENT expires: an
// order in PAYING may still receive money. An order that cannot be expired
// keeps no other from it; the error is that of the first such order.
func (s *Store) ExpireOrders(ctx context.Context, limit int) (int, error) {
	rows, err := s.write.Query(ctx, overdueOrdersSQL, limit)
	if err != nil {
		return 0, fmt.Errorf("find overdue orders: %w", unavailable(err))
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, fmt.Errorf("find overdue orders: %w", unavailable(err))
	}
	expired, failed := 0, 0
	for _, id := range ids {
		done, failure := s.expire(ctx, id)
		if done {
			expired++
		}
		if failure == nil {
			continue
		}
		if failed++; failed == 1 {
			err = fmt.Errorf("expire order %s: %w", id, failure)
		}
		if ctx.Err() != nil || errors.Is(failure, order.ErrUnavailable) {
			break
		}
	}
	if failed > 1 {
		err = fmt.Errorf("%w (and %d more)", err, failed-1)
	}
	return expired, err
}

// expire looks again under the lock: the order may have been paid meanwhile.
func (s *Store) expire(ctx context.Context, id uuid.UUID) (done bool, err error) {
	err = s.transact(ctx, nil, func(tx pgx.Tx) error {
		done = false
		o, err := lockOrder(ctx, tx, id)
		if err != nil || o.State != order.PendingPayment {
			return err
		}
		if err := change(ctx, tx, o, order.ActionExpire, order.System(), "", 0); err != nil {
			return err
		}
		done = true
		return releaseOrder(ctx, tx, o.ID)
	})
	return done, err
}
