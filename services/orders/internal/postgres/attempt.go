package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
)

const insertAttemptSQL = `INSERT INTO payment_attempts (attempt_id, payment_id, refund_id, operation, amount_minor, state, next_check_time)
VALUES ($1, $2, $3, $4, $5, 'in_flight', now() + $6)`

// openAttempt writes the row of an operation before anybody asks the provider
// for it. A worker may take it over after the given time.
func openAttempt(ctx context.Context, tx pgx.Tx, a *payment.Attempt, refund *uuid.UUID, takeover time.Duration) error {
	a.SendBefore = payment.SendBefore(0)
	_, err := tx.Exec(ctx, insertAttemptSQL, a.ID, a.Payment, refund, a.Operation, a.AmountMinor, takeover)
	if err != nil {
		return fmt.Errorf("open attempt: %w", err)
	}
	return nil
}

// next_check_time moves on before the work begins, so another worker leaves
// the attempt alone for a while; nothing but saved work rests on it.
const dueAttemptSQL = `UPDATE payment_attempts a SET tries = a.tries + 1, state = 'indeterminate',
  next_check_time = now() + $1 + least(power(2, least(a.tries, 9)), 300) * interval '1 second'
FROM payments p
WHERE p.payment_id = a.payment_id AND a.attempt_id = (
  SELECT attempt_id FROM payment_attempts WHERE state IN ('in_flight', 'indeterminate') AND next_check_time <= now()
  ORDER BY next_check_time LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING a.attempt_id, a.payment_id, a.operation, a.amount_minor, p.currency, p.method_token, now() - a.create_time`

// Due takes one open attempt that nobody seems to work on, with its age by the
// clock of the database; ok is false if there is none.
func (s *Store) Due(ctx context.Context) (a payment.Attempt, age time.Duration, ok bool, err error) {
	err = s.write.QueryRow(ctx, dueAttemptSQL, s.cfg.Takeover).
		Scan(&a.ID, &a.Payment, &a.Operation, &a.AmountMinor, &a.Currency, &a.MethodToken, &age)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, 0, false, nil
	}
	if err != nil {
		return a, 0, false, fmt.Errorf("take attempt: %w", unavailable(err))
	}
	a.SendBefore = payment.SendBefore(age)
	return a, age, true, nil
}

// attemptContext is what never changes of an attempt and its payment.
type attemptContext struct {
	PaymentID   uuid.UUID       `db:"payment_id"`
	RefundID    *uuid.UUID      `db:"refund_id"`
	Operation   order.Operation `db:"operation"`
	AmountMinor int64           `db:"amount_minor"`
	OrderID     uuid.UUID       `db:"order_id"`
	Currency    string          `db:"currency"`
	MethodToken string          `db:"method_token"`
	Principal   string          `db:"principal"`
	RequestID   uuid.UUID       `db:"request_id"`
}

const attemptContextSQL = `SELECT a.payment_id, a.refund_id, a.operation, a.amount_minor, p.order_id, p.currency, p.method_token, p.principal, p.request_id
FROM payment_attempts a JOIN payments p USING (payment_id) WHERE a.attempt_id = $1`

func queueAttempt(b *pgx.Batch, id uuid.UUID, into **attemptContext) {
	b.Queue(attemptContextSQL, id).Query(func(rows pgx.Rows) error {
		c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[attemptContext])
		if err != nil {
			return fmt.Errorf("read attempt: %w", err)
		}
		*into = c
		return nil
	})
}
