package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// NewOrder is an order that is to be created.
type NewOrder struct {
	ID      uuid.UUID
	User    uuid.UUID
	Wishes  []order.Wish
	Address order.Address
	Points  int64
	Note    string
}

const offersSQL = `SELECT sku, title, currency, unit_minor, sellable FROM products WHERE sku = ANY($1)`

const insertOrderSQL = `INSERT INTO orders (order_id, user_id, state, version, last_action, last_actor, currency, items_minor,
  points, points_minor, item_count, unit_count, shipping_address, customer_note, preview, payment_expire_time, create_time, update_time)
VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, now() + $15, now(), now())
RETURNING create_time, payment_expire_time`

const insertItemsSQL = `INSERT INTO order_items (order_id, line_no, sku, title, qty, unit_minor)
SELECT $1, l.line_no - 1, l.sku, l.title, l.qty, l.unit_minor
FROM unnest($2::text[], $3::text[], $4::int[], $5::bigint[]) WITH ORDINALITY AS l (sku, title, qty, unit_minor, line_no)`

// CreateOrder prices the wishes, holds the points, reserves the stock and
// creates the order: one transaction, with the most contended rows, those of
// the stock, locked last and for the shortest time. The refusals are those of
// order.Price, *order.OutOfStock, *order.InsufficientPoints and order.ErrOrderExists.
func (s *Store) CreateOrder(ctx context.Context, req Request, n NewOrder) (*order.Order, error) {
	o, err := once(ctx, s, req, func(tx pgx.Tx) (*order.Order, error) { return s.createOrder(ctx, tx, req, n) })
	if violated(err, "orders_pkey") {
		return nil, order.ErrOrderExists
	}
	return o, err
}

func (s *Store) createOrder(ctx context.Context, tx pgx.Tx, req Request, n NewOrder) (*order.Order, error) {
	quote, err := quote(ctx, tx, n.Wishes, n.Points)
	if err != nil {
		return nil, err
	}
	o := &order.Order{
		ID: n.ID, User: n.User, State: order.PendingPayment, Version: 1, Currency: quote.Currency,
		ItemsMinor: quote.ItemsMinor, Points: quote.Points, PointsMinor: quote.PointsMinor, PayableMinor: quote.PayableMinor(),
		LineCount: len(quote.Lines), Units: quote.Units, Address: n.Address, Note: n.Note, Lines: quote.Lines,
	}
	row := tx.QueryRow(ctx, insertOrderSQL, o.ID, o.User, o.State, order.ActionCreate, req.Actor.Kind, o.Currency, o.ItemsMinor,
		o.Points, o.PointsMinor, o.LineCount, o.Units, o.Address, o.Note, order.Preview(o.Lines), s.cfg.PaymentWindow)
	if err := row.Scan(&o.CreateTime, &o.PaymentExpireTime); err != nil {
		return nil, fmt.Errorf("insert order: %w", err)
	}
	o.CreateTime, o.PaymentExpireTime = o.CreateTime.UTC(), o.PaymentExpireTime.UTC()
	o.UpdateTime = o.CreateTime
	if err := fillOrder(ctx, tx, req, o); err != nil {
		return nil, err
	}
	return o, nil
}

// fillOrder writes all that belongs to a new order, in one round trip.
func fillOrder(ctx context.Context, tx pgx.Tx, req Request, o *order.Order) error {
	var b pgx.Batch
	queueItems(&b, o.ID, o.Lines)
	queueEvent(&b, o, 0, order.EventCreated, order.ActionCreate, req.Actor, "")
	queueDeltas(&b, nil, o)
	before := b.Len()
	if o.Points > 0 {
		queueHoldPoints(&b, o.User, o.ID, o.Points, req.cause())
	}
	queueReservation(&b, o.ID, o.Lines)
	results := tx.SendBatch(ctx, &b)
	defer results.Close() //nolint:errcheck // An error before says more; after it there is none.
	for range before {
		if _, err := results.Exec(); err != nil {
			return fmt.Errorf("fill order: %w", err)
		}
	}
	short := false
	if o.Points > 0 {
		tag, err := results.Exec()
		if err != nil {
			return fmt.Errorf("hold points: %w", err)
		}
		short = tag.RowsAffected() == 0
	}
	if err := readReservation(results, o.Lines); err != nil {
		return err
	}
	if err := results.Close(); err != nil {
		return fmt.Errorf("fill order: %w", err)
	}
	if short {
		return insufficient(ctx, tx, o.User, o.Points)
	}
	return nil
}

// quote prices wishes by the catalog.
func quote(ctx context.Context, tx pgx.Tx, wishes []order.Wish, points int64) (*order.Quote, error) {
	rows, err := tx.Query(ctx, offersSQL, order.SKUs(wishes))
	if err != nil {
		return nil, fmt.Errorf("read offers: %w", err)
	}
	offers, err := pgx.CollectRows(rows, pgx.RowToStructByPos[order.Offer])
	if err != nil {
		return nil, fmt.Errorf("read offers: %w", err)
	}
	return order.Price(wishes, offers, points)
}

func queueItems(b *pgx.Batch, id uuid.UUID, lines []order.Line) {
	skus, qty := quantities(lines)
	titles, units := make([]string, len(lines)), make([]int64, len(lines))
	for i, l := range lines {
		titles[i], units[i] = l.Title, l.UnitMinor
	}
	b.Queue(insertItemsSQL, id, skus, titles, qty, units)
}
