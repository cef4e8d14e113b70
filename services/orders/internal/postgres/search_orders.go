package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// Search says which orders staff want to see.
type Search struct {
	State order.State // 0: any
	User  *uuid.UUID  // nil: all
	From  time.Time   // created then or later; zero: no bound
	Until time.Time   // created before; zero: no bound
}

// searchSQL returns the statement with just the conditions that are asked for,
// so that each combination has a plan of its own and an index that is already
// in order.
func searchSQL(q Search, after Position, limit int) (string, []any) {
	if !q.Until.IsZero() && (after.Time.IsZero() || q.Until.Before(after.Time)) {
		after = Position{Time: q.Until} // the nil UUID is before all of that time
	}
	at, id := after.args()
	args := []any{at, id}
	where := []string{"(create_time, order_id) < ($1, $2)"}
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if q.State != 0 {
		add("state = $%d", q.State)
	}
	if q.User != nil {
		add("user_id = $%d", *q.User)
	}
	if !q.From.IsZero() {
		add("create_time >= $%d", q.From)
	}
	args = append(args, limit+1)
	return fmt.Sprintf("SELECT %s FROM orders WHERE %s ORDER BY create_time DESC, order_id DESC LIMIT $%d",
		orderColumns, strings.Join(where, " AND "), len(args)), args
}

// SearchOrders returns at most limit orders of any user in the basic view,
// newest first, by 1 statement.
func (s *Store) SearchOrders(ctx context.Context, q Search, after Position, limit int) (*OrderPage, error) {
	sql, args := searchSQL(q, after, limit)
	var b pgx.Batch
	b.Queue(sql, args...)
	orders, err := s.readOrders(ctx, &b, false)
	if err != nil {
		return nil, err
	}
	return page(orders, limit), nil
}
