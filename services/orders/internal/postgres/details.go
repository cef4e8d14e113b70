package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// The lines, payments and refunds of all orders of a page; the page is chosen
// once more inside, so that nothing waits for its result.
const (
	pageLinesSQL    = `SELECT order_id, line_no, sku, title, qty, unit_minor FROM order_items WHERE order_id = ANY (ARRAY(%s))`
	pagePaymentsSQL = `SELECT order_id, payment_id, state, amount_minor, captured_minor, refunded_minor, create_time FROM payments WHERE order_id = ANY (ARRAY(%s))`
	pageRefundsSQL  = `SELECT order_id, refund_id, payment_id, state, amount_minor, create_time FROM refunds WHERE order_id = ANY (ARRAY(%s))`
)

// queueDetails adds the three statements; page is a query of the order ids.
func queueDetails(b *pgx.Batch, page string, args ...any) {
	for _, sql := range []string{pageLinesSQL, pagePaymentsSQL, pageRefundsSQL} {
		b.Queue(fmt.Sprintf(sql, page), args...)
	}
}

type lineRow struct {
	OrderID   uuid.UUID `db:"order_id"`
	LineNo    int       `db:"line_no"`
	SKU       string    `db:"sku"`
	Title     string    `db:"title"`
	Qty       int       `db:"qty"`
	UnitMinor int64     `db:"unit_minor"`
}

type paymentRow struct {
	OrderID       uuid.UUID          `db:"order_id"`
	PaymentID     uuid.UUID          `db:"payment_id"`
	State         order.PaymentState `db:"state"`
	AmountMinor   int64              `db:"amount_minor"`
	CapturedMinor int64              `db:"captured_minor"`
	RefundedMinor int64              `db:"refunded_minor"`
	CreateTime    time.Time          `db:"create_time"`
}

type refundRow struct {
	OrderID     uuid.UUID         `db:"order_id"`
	RefundID    uuid.UUID         `db:"refund_id"`
	PaymentID   uuid.UUID         `db:"payment_id"`
	State       order.RefundState `db:"state"`
	AmountMinor int64             `db:"amount_minor"`
	CreateTime  time.Time         `db:"create_time"`
}

// readOrders sends a batch of one statement that selects orders and, if full,
// of the three of queueDetails. The pool makes it one read-only snapshot.
func (s *Store) readOrders(ctx context.Context, b *pgx.Batch, full bool) ([]*order.Order, error) {
	results := s.read.SendBatch(ctx, b)
	defer results.Close() //nolint:errcheck // Nothing is written; the reads report their errors.
	found, err := collect[orderRow](results)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", unavailable(err))
	}
	orders := make([]*order.Order, len(found))
	byID := make(map[uuid.UUID]*order.Order, len(found))
	for i, r := range found {
		orders[i] = r.order()
		byID[r.OrderID] = orders[i]
	}
	if !full {
		return orders, nil
	}
	if err := readDetails(results, byID); err != nil {
		return nil, fmt.Errorf("read details of orders: %w", unavailable(err))
	}
	return orders, nil
}

func collect[T any](results pgx.BatchResults) ([]*T, error) {
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[T])
}

// readDetails puts lines, payments and refunds into their orders. The last
// order of a page may only tell that there are more, and then has none.
func readDetails(results pgx.BatchResults, byID map[uuid.UUID]*order.Order) error {
	lines, err := collect[lineRow](results)
	if err != nil {
		return err
	}
	payments, err := collect[paymentRow](results)
	if err != nil {
		return err
	}
	refunds, err := collect[refundRow](results)
	if err != nil {
		return err
	}
	placeLines(lines, byID)
	placePayments(payments, byID)
	placeRefunds(refunds, byID)
	return nil
}
