package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// GetOrder returns an order of the user, or order.ErrOrderNotFound: 1 statement
// for the basic view, 4 in one round trip and one snapshot for the full one.
func (s *Store) GetOrder(ctx context.Context, user, id uuid.UUID, full bool) (*order.Order, error) {
	var b pgx.Batch
	b.Queue(readOrderSQL, id, user)
	if full {
		queueDetails(&b, `VALUES ($1::uuid)`, id)
	}
	orders, err := s.readOrders(ctx, &b, full)
	if err != nil {
		return nil, err
	}
	if len(orders) == 0 {
		return nil, order.ErrOrderNotFound
	}
	return orders[0], nil
}
