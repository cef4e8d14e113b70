package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// Position is a place in a list of orders, newest first; orders after it are
// older. The zero value is before the first order.
type Position struct {
	Time  time.Time `json:"t"`
	Order uuid.UUID `json:"o"`
}

// args returns the position as the bounds of a keyset query.
func (p Position) args() (pgtype.Timestamptz, uuid.UUID) {
	if p.Time.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}, uuid.Max
	}
	return pgtype.Timestamptz{Time: p.Time, Valid: true}, p.Order
}

// OrderPage is one page of a list of orders.
type OrderPage struct {
	Orders []*order.Order
	// Next is where the next page begins; nil if this is the last one.
	Next *Position
}

func page(orders []*order.Order, limit int) *OrderPage {
	if len(orders) <= limit {
		return &OrderPage{Orders: orders}
	}
	last := orders[limit-1]
	return &OrderPage{Orders: orders[:limit], Next: &Position{Time: last.CreateTime, Order: last.ID}}
}

const (
	byUserSQL = ` FROM orders WHERE user_id = $1 AND (create_time, order_id) < ($2, $3) ORDER BY create_time DESC, order_id DESC LIMIT $4`
	allSQL    = ` FROM orders WHERE (create_time, order_id) < ($1, $2) ORDER BY create_time DESC, order_id DESC LIMIT $3`
)

// ListOrders returns at most limit orders of a user, newest first: 1 statement
// in the basic view, 4 in one round trip and one snapshot in the full one. A
// nil user lists the orders of all users.
func (s *Store) ListOrders(ctx context.Context, user *uuid.UUID, after Position, limit int, full bool) (*OrderPage, error) {
	at, id := after.args()
	where, args := allSQL, []any{at, id, limit + 1}
	if user != nil {
		where, args = byUserSQL, []any{*user, at, id, limit + 1}
	}
	var b pgx.Batch
	b.Queue(`SELECT `+orderColumns+where, args...)
	if full {
		queueDetails(&b, `SELECT order_id`+where, args...)
	}
	orders, err := s.readOrders(ctx, &b, full)
	if err != nil {
		return nil, err
	}
	return page(orders, limit), nil
}
