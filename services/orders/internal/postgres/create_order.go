package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/server/idempotency"
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
VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)`

const insertItemsSQL = `INSERT INTO order_items (order_id, line_no, sku, title, qty, unit_minor)
SELECT $1, l.line_no - 1, l.sku, l.title, l.qty, l.unit_minor
FROM unnest($2::text[], $3::text[], $4::int[], $5::bigint[]) WITH ORDINALITY AS l (sku, title, qty, unit_minor, line_no)`

// CreateOrder prices the wishes, holds the points, reserves the stock and
// creates the order: one transaction in three round trips, with the most
// contended rows, those of the stock, locked last and for the shortest time: all
// else is written before them, the answer too. The refusals are those of
// order.Price, *order.OutOfStock, *order.InsufficientPoints and order.ErrOrderExists.
func (s *Store) CreateOrder(ctx context.Context, req Request, n NewOrder) (*order.Order, error) {
	var o *order.Order
	var offers []order.Offer
	err := s.claimed(ctx, req, command{
		read:     func(b *pgx.Batch) { queueOffers(b, n.Wishes, &offers) },
		repeated: func(_ pgx.Tx, out idempotency.Outcome) error { return repeat(out, &o) },
		work: func(tx pgx.Tx, now time.Time) error {
			quote, err := order.Price(n.Wishes, offers, n.Points)
			if err != nil {
				return err
			}
			o = newOrder(n, quote, now, s.cfg.PaymentWindow)
			return insertOrder(ctx, tx, req, o)
		},
	})
	if violated(err, "orders_pkey") {
		return nil, order.ErrOrderExists
	}
	if err != nil {
		return nil, err
	}
	return o, nil
}

func newOrder(n NewOrder, q *order.Quote, now time.Time, window time.Duration) *order.Order {
	return &order.Order{
		ID: n.ID, User: n.User, State: order.PendingPayment, Version: 1, Currency: q.Currency,
		ItemsMinor: q.ItemsMinor, Points: q.Points, PointsMinor: q.PointsMinor, PayableMinor: q.PayableMinor(),
		LineCount: len(q.Lines), Units: q.Units, Address: n.Address, Note: n.Note, Lines: q.Lines,
		// What PostgreSQL keeps, for the answer is read from o.
		PaymentExpireTime: now.Add(window).Truncate(time.Microsecond), CreateTime: now, UpdateTime: now,
	}
}

// insertOrder writes a new order and all that belongs to it, its answer too, in
// one round trip.
func insertOrder(ctx context.Context, tx pgx.Tx, req Request, o *order.Order) error {
	answer, err := encodeAnswer(o)
	if err != nil {
		return err
	}
	var b pgx.Batch
	b.Queue(insertOrderSQL, o.ID, o.User, o.State, order.ActionCreate, req.Actor.Kind, o.Currency, o.ItemsMinor,
		o.Points, o.PointsMinor, o.LineCount, o.Units, o.Address, o.Note, order.Preview(o.Lines), o.PaymentExpireTime, o.CreateTime)
	queueItems(&b, o.ID, o.Lines)
	queueEvent(&b, o, 0, order.EventCreated, order.ActionCreate, req.Actor, "")
	queueDeltas(&b, nil, o)
	idempotency.QueueAnswer(&b, req.key(), answer)
	before := b.Len()
	if o.Points > 0 {
		queueHoldPoints(&b, o.User, o.ID, o.Points, req.cause())
	}
	queueReservation(&b, o.ID, o.Lines)
	results := tx.SendBatch(ctx, &b)
	defer results.Close() //nolint:errcheck // An error before says more; after it there is none.
	for range before {
		if _, err := results.Exec(); err != nil {
			return fmt.Errorf("insert order: %w", err)
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
		return fmt.Errorf("insert order: %w", err)
	}
	if short {
		return insufficient(ctx, tx, o.User, o.Points)
	}
	return nil
}

// queueOffers reads what the catalog says of the wishes.
func queueOffers(b *pgx.Batch, wishes []order.Wish, into *[]order.Offer) {
	b.Queue(offersSQL, order.SKUs(wishes)).Query(func(rows pgx.Rows) (err error) {
		if *into, err = pgx.CollectRows(rows, pgx.RowToStructByPos[order.Offer]); err != nil {
			return fmt.Errorf("read offers: %w", err)
		}
		return nil
	})
}

func queueItems(b *pgx.Batch, id uuid.UUID, lines []order.Line) {
	skus, qty := quantities(lines)
	titles, units := make([]string, len(lines)), make([]int64, len(lines))
	for i, l := range lines {
		titles[i], units[i] = l.Title, l.UnitMinor
	}
	b.Queue(insertItemsSQL, id, skus, titles, qty, units)
}
