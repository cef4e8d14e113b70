package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// orderColumns are the columns of orderRow.
const orderColumns = `order_id, user_id, state, version, currency, items_minor, points, points_minor, payable_minor,
refunded_minor, item_count, unit_count, shipping_address, customer_note, preview, payment_expire_time, create_time, update_time`

type orderRow struct {
	OrderID           uuid.UUID     `db:"order_id"`
	UserID            uuid.UUID     `db:"user_id"`
	State             order.State   `db:"state"`
	Version           int64         `db:"version"`
	Currency          string        `db:"currency"`
	ItemsMinor        int64         `db:"items_minor"`
	Points            int64         `db:"points"`
	PointsMinor       int64         `db:"points_minor"`
	PayableMinor      int64         `db:"payable_minor"`
	RefundedMinor     int64         `db:"refunded_minor"`
	ItemCount         int           `db:"item_count"`
	UnitCount         int           `db:"unit_count"`
	ShippingAddress   order.Address `db:"shipping_address"`
	CustomerNote      string        `db:"customer_note"`
	Preview           []order.Line  `db:"preview"`
	PaymentExpireTime time.Time     `db:"payment_expire_time"`
	CreateTime        time.Time     `db:"create_time"`
	UpdateTime        time.Time     `db:"update_time"`
}

func (r *orderRow) order() *order.Order {
	return &order.Order{
		ID: r.OrderID, User: r.UserID, State: r.State, Version: r.Version, Currency: r.Currency,
		ItemsMinor: r.ItemsMinor, Points: r.Points, PointsMinor: r.PointsMinor, PayableMinor: r.PayableMinor,
		RefundedMinor: r.RefundedMinor, LineCount: r.ItemCount, Units: r.UnitCount,
		Address: r.ShippingAddress, Note: r.CustomerNote, Lines: r.Preview,
		PaymentExpireTime: r.PaymentExpireTime.UTC(), CreateTime: r.CreateTime.UTC(), UpdateTime: r.UpdateTime.UTC(),
	}
}

const lockOrderSQL = `SELECT ` + orderColumns + ` FROM orders WHERE order_id = $1 FOR NO KEY UPDATE`

// lockOrder locks the row of an order and returns it in the basic view.
func lockOrder(ctx context.Context, tx pgx.Tx, id uuid.UUID) (*order.Order, error) {
	rows, err := tx.Query(ctx, lockOrderSQL, id)
	if err != nil {
		return nil, fmt.Errorf("lock order: %w", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[orderRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, order.ErrOrderNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("lock order: %w", err)
	}
	return row.order(), nil
}

// lockOwned locks an order of the named user; any other is not found. An etag
// that is not empty must be the current one.
func lockOwned(ctx context.Context, tx pgx.Tx, user, id uuid.UUID, etag string) (*order.Order, error) {
	o, err := lockOrder(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if o.User != user {
		return nil, order.ErrOrderNotFound
	}
	if etag != "" && etag != o.Etag() {
		return nil, &order.EtagMismatch{Current: o.Etag()}
	}
	return o, nil
}
