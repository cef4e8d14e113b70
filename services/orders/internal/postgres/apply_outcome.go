package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/server/idempotency"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
)

const closeAttemptSQL = `UPDATE payment_attempts SET state = $2 WHERE attempt_id = $1 AND state IN ('in_flight', 'indeterminate')`

const lockPaymentSQL = `SELECT 1 FROM payments WHERE payment_id = $1 FOR NO KEY UPDATE`

const setPaymentSQL = `UPDATE payments SET state = $2, captured_minor = CASE WHEN $2 = 'captured' THEN amount_minor ELSE captured_minor END
WHERE payment_id = $1`

const endRefundSQL = `UPDATE refunds SET state = $2 WHERE refund_id = $1`

const countRefundSQL = `UPDATE payments SET refund_held_minor = refund_held_minor - $2, refunded_minor = refunded_minor + $3 WHERE payment_id = $1`

// outcome is one answer of the provider on its way into the database.
type outcome struct {
	attempt uuid.UUID
	*attemptContext
	order *order.Order
	next  *payment.Attempt
}

// Apply is transaction B of a payment, the only place where an answer of the
// provider takes effect: whoever got it, the handler, a worker, a late
// response, ends here. The first one closes the attempt; for all others
// nothing is left to do. It returns the operation to ask for next, whose
// attempt was written in the same transaction, or nil.
func (s *Store) Apply(ctx context.Context, attempt uuid.UUID, result order.Outcome) (next *payment.Attempt, err error) {
	var c *attemptContext
	read := func(b *pgx.Batch) { queueAttempt(b, attempt, &c) }
	err = s.transact(ctx, read, func(tx pgx.Tx) error {
		next = nil
		o, err := lockOrder(ctx, tx, c.OrderID)
		if err != nil {
			return err
		}
		out := &outcome{attempt: attempt, attemptContext: c, order: o}
		open, err := out.close(ctx, tx, result)
		if err != nil || !open {
			return err
		}
		err = s.apply(ctx, tx, out, order.Decide(c.Operation, result, o.State))
		next = out.next
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("apply outcome: %w", err)
	}
	return next, nil
}

// closed is the state of an attempt with an outcome. Whoever reads the attempts
// is not told that a provider declined what it was never asked for.
func closed(result order.Outcome) string {
	switch result {
	case order.Accepted:
		return "succeeded"
	case order.Never:
		return "never_asked"
	default:
		return "declined"
	}
}

// close locks the payment and closes the attempt; false if somebody else did.
func (out *outcome) close(ctx context.Context, tx pgx.Tx, result order.Outcome) (bool, error) {
	if _, err := tx.Exec(ctx, lockPaymentSQL, out.PaymentID); err != nil {
		return false, fmt.Errorf("lock payment: %w", err)
	}
	tag, err := tx.Exec(ctx, closeAttemptSQL, out.attempt, closed(result))
	if err != nil {
		return false, fmt.Errorf("close attempt: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

func (s *Store) apply(ctx context.Context, tx pgx.Tx, out *outcome, c order.Consequence) error {
	if c.Payment != "" {
		if _, err := tx.Exec(ctx, setPaymentSQL, out.PaymentID, c.Payment); err != nil {
			return fmt.Errorf("set payment: %w", err)
		}
	}
	refunded, err := out.endRefund(ctx, tx, c.Refund)
	if err != nil {
		return err
	}
	if c.Next != "" {
		if err := s.openNext(ctx, tx, out, c.Next); err != nil {
			return err
		}
	}
	if c.Order != "" {
		if err := change(ctx, tx, out.order, c.Order, order.System(), "", refunded); err != nil {
			return err
		}
		if c.Order == order.ActionPaymentSucceeded {
			if err := commitOrder(ctx, tx, out.order.ID); err != nil {
				return err
			}
		}
	}
	if out.order.State == order.Cancelling {
		next, err := s.settle(ctx, tx, out.order, s.cfg.Takeover)
		if err != nil {
			return err
		}
		if next != nil {
			out.next = next
		}
	}
	return out.answer(ctx, tx, c)
}

// endRefund ends the refund of the attempt and returns what was refunded.
func (out *outcome) endRefund(ctx context.Context, tx pgx.Tx, state order.RefundState) (int64, error) {
	if state == "" {
		return 0, nil
	}
	var refunded int64
	if state == order.RefundSucceeded {
		refunded = out.AmountMinor
	}
	var b pgx.Batch
	b.Queue(endRefundSQL, out.RefundID, state)
	b.Queue(countRefundSQL, out.PaymentID, out.AmountMinor, refunded)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return 0, fmt.Errorf("end refund: %w", err)
	}
	return refunded, nil
}

func (s *Store) openNext(ctx context.Context, tx pgx.Tx, out *outcome, op order.Operation) error {
	out.next = &payment.Attempt{
		ID: uuid.Must(uuid.NewV7()), Payment: out.PaymentID, Operation: op,
		AmountMinor: out.AmountMinor, Currency: out.Currency, MethodToken: out.MethodToken,
	}
	var refund *uuid.UUID
	if op == order.RefundAmount {
		refund = out.RefundID
	}
	return openAttempt(ctx, tx, out.next, refund, s.cfg.Takeover)
}

// answer stores the answer of the PayOrder that began the payment once its
// outcome is known.
func (out *outcome) answer(ctx context.Context, tx pgx.Tx, c order.Consequence) error {
	answer := payAnswer{Order: out.order}
	switch {
	case c.Order == order.ActionPaymentDeclined:
		answer.Declined = &out.PaymentID
	case c.Payment == order.PaymentCaptured, c.Payment == order.PaymentVoided, c.Payment == order.PaymentFailed:
	default:
		return nil
	}
	key := idempotency.Key{Principal: out.Principal, Method: PayMethod, RequestID: out.RequestID}
	return answerPayment(ctx, tx, key, answer)
}
