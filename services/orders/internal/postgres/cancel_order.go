package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// Cancellation is an order that is to be cancelled.
type Cancellation struct {
	User, Order uuid.UUID
	Etag        string
	Note        string
}

// CancelOrder cancels. An order without money is CANCELLED at once, with points
// and stock given back; any other is CANCELLING, and the attempts that return
// its money are written here for a worker to carry out.
func (s *Store) CancelOrder(ctx context.Context, req Request, c Cancellation) (*order.Order, error) {
	return once(ctx, s, req, nil, func(tx pgx.Tx) (*order.Order, error) {
		o, err := lockOwned(ctx, tx, c.User, c.Order, c.Etag)
		if err != nil {
			return nil, err
		}
		if err := change(ctx, tx, o, order.ActionCancel, req.Actor, c.Note, 0); err != nil {
			return nil, err
		}
		if o.State == order.Cancelled {
			return o, releaseOrder(ctx, tx, o.ID)
		}
		_, err = s.settle(ctx, tx, o, 0)
		return o, err
	})
}
