package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
)

const lockPaymentsSQL = `SELECT payment_id, state, currency, amount_minor, captured_minor, refund_held_minor, refunded_minor, method_token
FROM payments WHERE order_id = $1 ORDER BY payment_id FOR NO KEY UPDATE`

const holdRefundSQL = `UPDATE payments SET refund_held_minor = refund_held_minor + $2 WHERE payment_id = $1`

const insertRefundSQL = `INSERT INTO refunds (refund_id, order_id, payment_id, amount_minor, state) VALUES ($1, $2, $3, $4, 'processing')`

const failedRefundsSQL = `SELECT count(*) FROM refunds WHERE order_id = $1 AND payment_id = $2 AND state = 'failed'`

// maxRefundPause is the longest pause before a refused refund is asked for again.
const maxRefundPause = time.Hour

type heldPayment struct {
	PaymentID                                     uuid.UUID
	State                                         order.PaymentState
	Currency                                      string
	AmountMinor                                   int64
	CapturedMinor, RefundHeldMinor, RefundedMinor int64
	MethodToken                                   string
}

// settle does what an order in CANCELLING still needs, after anything that may
// have changed it: void, refund what is captured and neither refunded nor under
// way, and once no money is here and none can come, enter CANCELLED and give
// points and stock back. It returns an operation to ask for at once, or nil.
func (s *Store) settle(ctx context.Context, tx pgx.Tx, o *order.Order, takeover time.Duration) (*payment.Attempt, error) {
	rows, err := tx.Query(ctx, lockPaymentsSQL, o.ID)
	if err != nil {
		return nil, fmt.Errorf("lock payments: %w", err)
	}
	payments, err := pgx.CollectRows(rows, pgx.RowToStructByPos[heldPayment])
	if err != nil {
		return nil, fmt.Errorf("lock payments: %w", err)
	}
	var next *payment.Attempt
	done := true
	for _, p := range payments {
		need := order.Settle(order.Held{State: p.State, Captured: p.CapturedMinor, RefundHeld: p.RefundHeldMinor, Refunded: p.RefundedMinor})
		done = done && need.Done
		a, err := s.settlePayment(ctx, tx, o, p, need, takeover)
		if err != nil {
			return nil, err
		}
		if a != nil {
			next = a
		}
	}
	if !done {
		return next, nil
	}
	if err := change(ctx, tx, o, order.ActionMoneyReturned, order.System(), "", 0); err != nil {
		return nil, err
	}
	return nil, releaseOrder(ctx, tx, o.ID)
}

func (s *Store) settlePayment(ctx context.Context, tx pgx.Tx, o *order.Order, p heldPayment, need order.Settlement, takeover time.Duration) (*payment.Attempt, error) {
	a := &payment.Attempt{ID: uuid.Must(uuid.NewV7()), Payment: p.PaymentID, Currency: p.Currency, MethodToken: p.MethodToken}
	switch {
	case need.Void:
		a.Operation, a.AmountMinor = order.Void, p.AmountMinor
		if _, err := tx.Exec(ctx, setPaymentSQL, p.PaymentID, order.PaymentVoiding); err != nil {
			return nil, fmt.Errorf("begin void: %w", err)
		}
		return a, openAttempt(ctx, tx, a, nil, takeover)
	case need.RefundMinor > 0:
		a.Operation, a.AmountMinor = order.RefundAmount, need.RefundMinor
		return s.openRefund(ctx, tx, o, a, takeover)
	default:
		return nil, nil
	}
}

// openRefund begins a refund. One that follows a refused one is left to the
// worker, after a pause that doubles each time.
func (s *Store) openRefund(ctx context.Context, tx pgx.Tx, o *order.Order, a *payment.Attempt, takeover time.Duration) (*payment.Attempt, error) {
	var failed int
	if err := tx.QueryRow(ctx, failedRefundsSQL, o.ID, a.Payment).Scan(&failed); err != nil {
		return nil, fmt.Errorf("count refused refunds: %w", err)
	}
	refund := uuid.Must(uuid.NewV7())
	var b pgx.Batch
	b.Queue(holdRefundSQL, a.Payment, a.AmountMinor)
	b.Queue(insertRefundSQL, refund, o.ID, a.Payment, a.AmountMinor)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return nil, fmt.Errorf("begin refund: %w", err)
	}
	if failed > 0 {
		return nil, openAttempt(ctx, tx, a, &refund, refundPause(failed))
	}
	return a, openAttempt(ctx, tx, a, &refund, takeover)
}

func refundPause(failed int) time.Duration {
	return min(time.Second<<min(failed, 20), maxRefundPause)
}
