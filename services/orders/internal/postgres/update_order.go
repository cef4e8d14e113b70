package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// OrderEdit is what is to be changed of an order; nil leaves a part as it is.
type OrderEdit struct {
	User, ID uuid.UUID
	Etag     string
	Wishes   []order.Wish // nil: the lines keep their prices
	Address  *order.Address
	Points   *int64
	Note     *string
}

const updateOrderSQL = `UPDATE orders SET version = version + 1, last_action = $2, last_actor = $3, update_time = clock_timestamp(),
  currency = $4, items_minor = $5, points = $6, points_minor = $7, item_count = $8, unit_count = $9,
  shipping_address = $10, customer_note = $11, preview = $12
WHERE order_id = $1 AND state = $13 RETURNING version, update_time`

const linesSQL = `SELECT sku, title, qty, unit_minor FROM order_items WHERE order_id = $1 ORDER BY line_no`

const deleteItemsSQL = `DELETE FROM order_items WHERE order_id = $1`

// Rows of both the old and the new lines, in one order.
const lockBothStockSQL = `SELECT 1 FROM stock_levels
WHERE sku = ANY ($2 || ARRAY(SELECT sku FROM stock_reservations WHERE order_id = $1)) ORDER BY sku, bucket FOR NO KEY UPDATE`

const unreserveStockSQL = `WITH old AS (DELETE FROM stock_reservations WHERE order_id = $1 RETURNING sku, bucket, held)
UPDATE stock_levels s SET reserved = s.reserved - old.held FROM old WHERE s.sku = old.sku AND s.bucket = old.bucket`

// UpdateOrder edits an order in PENDING_PAYMENT. New lines are priced anew;
// without them the lines keep their prices. The refusals are those of
// CreateOrder, order.ErrOrderNotFound, *order.EtagMismatch and *order.IllegalTransition.
func (s *Store) UpdateOrder(ctx context.Context, req Request, e OrderEdit) (*order.Order, error) {
	var offers []order.Offer
	read := func(b *pgx.Batch) {
		if e.Wishes != nil {
			queueOffers(b, e.Wishes, &offers)
		}
	}
	return once(ctx, s, req, read, func(tx pgx.Tx) (*order.Order, error) {
		o, err := lockOwned(ctx, tx, e.User, e.ID, e.Etag)
		if err != nil {
			return nil, err
		}
		if _, err := order.Next(o.State, order.ActionUpdate, req.Actor.Kind); err != nil {
			return nil, err
		}
		if o.Lines, err = lines(ctx, tx, o.ID); err != nil {
			return nil, err
		}
		before := *o
		if err := edit(o, e, offers); err != nil {
			return nil, err
		}
		return o, writeEdit(ctx, tx, req, &before, o, e.Wishes != nil)
	})
}

// edit applies e to o and prices it.
func edit(o *order.Order, e OrderEdit, offers []order.Offer) error {
	if e.Address != nil {
		o.Address = *e.Address
	}
	if e.Note != nil {
		o.Note = *e.Note
	}
	if e.Points != nil {
		o.Points = *e.Points
	}
	q := &order.Quote{Currency: o.Currency, Lines: o.Lines, ItemsMinor: o.ItemsMinor, Points: o.Points, PointsMinor: o.Points, Units: o.Units}
	if e.Wishes != nil {
		var err error
		if q, err = order.Price(e.Wishes, offers, o.Points); err != nil {
			return err
		}
	} else if q.PointsMinor > q.ItemsMinor {
		return &order.PointsExceedAmount{Points: q.Points, ItemsMinor: q.ItemsMinor}
	}
	o.Currency, o.Lines, o.ItemsMinor, o.Units, o.LineCount = q.Currency, q.Lines, q.ItemsMinor, q.Units, len(q.Lines)
	o.PointsMinor, o.PayableMinor = q.PointsMinor, q.PayableMinor()
	return nil
}

// writeEdit writes the edited order with its event, and moves points and stock.
func writeEdit(ctx context.Context, tx pgx.Tx, req Request, before, o *order.Order, relined bool) error {
	row := tx.QueryRow(ctx, updateOrderSQL, o.ID, order.ActionUpdate, req.Actor.Kind, o.Currency, o.ItemsMinor, o.Points, o.PointsMinor,
		o.LineCount, o.Units, o.Address, o.Note, order.Preview(o.Lines), before.State)
	if err := row.Scan(&o.Version, &o.UpdateTime); err != nil {
		return fmt.Errorf("update order: %w", err)
	}
	o.UpdateTime = o.UpdateTime.UTC()
	var b pgx.Batch
	queueEvent(&b, o, before.State, order.EventUpdated, order.ActionUpdate, req.Actor, "")
	queueDeltas(&b, before, o)
	if relined {
		b.Queue(deleteItemsSQL, o.ID)
		queueItems(&b, o.ID, o.Lines)
	}
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("record edit: %w", err)
	}
	if o.Points != before.Points {
		if err := movePoints(ctx, tx, req, o); err != nil {
			return err
		}
	}
	if relined {
		return moveStock(ctx, tx, o)
	}
	return nil
}

// movePoints holds the new points instead of the old ones.
func movePoints(ctx context.Context, tx pgx.Tx, req Request, o *order.Order) error {
	if _, err := tx.Exec(ctx, voidPointsSQL, o.ID); err != nil {
		return fmt.Errorf("let go of points: %w", err)
	}
	if o.Points == 0 {
		return nil
	}
	tag, err := tx.Exec(ctx, holdPointsSQL, owner(o.User), o.Points, uuid.Must(uuid.NewV7()), o.ID, req.cause())
	if err != nil {
		return fmt.Errorf("hold points: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return insufficient(ctx, tx, o.User, o.Points)
	}
	return nil
}

// moveStock reserves the stock of the new lines instead of the old ones.
func moveStock(ctx context.Context, tx pgx.Tx, o *order.Order) error {
	skus, _ := quantities(o.Lines)
	var b pgx.Batch
	b.Queue(lockBothStockSQL, o.ID, skus)
	b.Queue(unreserveStockSQL, o.ID)
	queueReservation(&b, o.ID, o.Lines)
	results := tx.SendBatch(ctx, &b)
	defer results.Close() //nolint:errcheck // An error before says more; after it there is none.
	for range 2 {
		if _, err := results.Exec(); err != nil {
			return fmt.Errorf("let go of stock: %w", err)
		}
	}
	if err := readReservation(results, o.Lines); err != nil {
		return err
	}
	return results.Close()
}

func lines(ctx context.Context, tx pgx.Tx, id uuid.UUID) ([]order.Line, error) {
	rows, err := tx.Query(ctx, linesSQL, id)
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	ls, err := pgx.CollectRows(rows, pgx.RowToStructByPos[order.Line])
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	return ls, nil
}
