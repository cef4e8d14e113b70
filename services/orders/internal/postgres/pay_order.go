package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/server/idempotency"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
)

// NewPayment is a payment that is to begin.
type NewPayment struct {
	User, Order uuid.UUID
	Etag        string
	MethodToken string
}

// payAnswer is the stored answer to a PayOrder: the outcome, not the PAYING
// that the first call may have been told.
type payAnswer struct {
	Order    *order.Order `json:"order"`
	Declined *uuid.UUID   `json:"declined,omitempty"`
}

// result returns what the caller is told.
func (a payAnswer) result() (*order.Order, error) {
	if a.Declined != nil {
		return nil, &order.PaymentDeclined{Payment: *a.Declined}
	}
	return a.Order, nil
}

// PayMethod is the method in the keys of requests to pay; whoever applies an
// outcome answers the request under it.
const PayMethod = "/curfew.orders.v1.OrderCommandService/PayOrder"

const insertPaymentSQL = `INSERT INTO payments (payment_id, order_id, state, currency, amount_minor, provider, method_token, principal, request_id)
VALUES ($1, $2, 'authorizing', $3, $4, $5, $6, $7, $8)`

// BeginPayment is transaction A of a payment: the request, the order in PAYING,
// the payment and the attempt, all before the provider is called. The attempt
// is nil if there is nothing to call for: the request is a repetition, or the
// order has nothing to pay and is confirmed. A repetition gets the outcome, or
// the order as it is while the payment is under way.
func (s *Store) BeginPayment(ctx context.Context, req Request, n NewPayment) (o *order.Order, a *payment.Attempt, err error) {
	err = s.claimed(ctx, req, command{
		repeated: func(tx pgx.Tx, out idempotency.Outcome) (err error) {
			a = nil // of a try before this one
			o, err = s.repeatPayment(ctx, tx, n, out)
			return err
		},
		work: func(tx pgx.Tx, now time.Time) (err error) {
			o, a, err = s.beginPayment(ctx, tx, req, n, now)
			return err
		},
	})
	if err != nil {
		return nil, nil, err
	}
	return o, a, nil
}

func (s *Store) repeatPayment(ctx context.Context, q querier, n NewPayment, out idempotency.Outcome) (*order.Order, error) {
	if !out.Answered {
		return readOrder(ctx, q, n.User, n.Order)
	}
	var stored payAnswer
	if err := decodeAnswer(out.Response, &stored); err != nil {
		return nil, err
	}
	return stored.result()
}

func (s *Store) beginPayment(ctx context.Context, tx pgx.Tx, req Request, n NewPayment, now time.Time) (*order.Order, *payment.Attempt, error) {
	o, err := lockOwned(ctx, tx, n.User, n.Order, n.Etag)
	if err != nil {
		return nil, nil, err
	}
	if _, err := order.Next(o.State, order.ActionPay, req.Actor.Kind); err != nil {
		return nil, nil, err
	}
	if !now.Before(o.PaymentExpireTime) {
		return nil, nil, &order.DeadlinePassed{Deadline: o.PaymentExpireTime}
	}
	if o.PayableMinor == 0 {
		return o, nil, s.confirmFree(ctx, tx, req, o)
	}
	if err := change(ctx, tx, o, order.ActionPay, req.Actor, "", 0); err != nil {
		return nil, nil, err
	}
	a := &payment.Attempt{
		ID: uuid.Must(uuid.NewV7()), Payment: uuid.Must(uuid.NewV7()), Operation: order.Authorize,
		AmountMinor: o.PayableMinor, Currency: o.Currency, MethodToken: n.MethodToken,
	}
	if _, err := tx.Exec(ctx, insertPaymentSQL, a.Payment, o.ID, a.Currency, a.AmountMinor, s.cfg.Provider, a.MethodToken, req.Actor.Principal, req.ID); err != nil {
		return nil, nil, fmt.Errorf("insert payment: %w", err)
	}
	if err := openAttempt(ctx, tx, a, nil, s.cfg.Takeover); err != nil {
		return nil, nil, err
	}
	return o, a, nil
}

// confirmFree confirms an order that points pay whole.
func (s *Store) confirmFree(ctx context.Context, tx pgx.Tx, req Request, o *order.Order) error {
	if err := change(ctx, tx, o, order.ActionPayFree, req.Actor, "", 0); err != nil {
		return err
	}
	if err := commitOrder(ctx, tx, o.ID); err != nil {
		return err
	}
	return answerPayment(ctx, tx, req.key(), payAnswer{Order: o})
}

func answerPayment(ctx context.Context, tx pgx.Tx, key idempotency.Key, answer payAnswer) error {
	encoded, err := encodeAnswer(answer)
	if err != nil {
		return err
	}
	_, err = idempotency.Answer(ctx, tx, key, encoded)
	return err
}

const readOrderSQL = `SELECT ` + orderColumns + ` FROM orders WHERE order_id = $1 AND user_id = $2`

// querier is a transaction or a pool.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func readOrder(ctx context.Context, q querier, user, id uuid.UUID) (*order.Order, error) {
	rows, err := q.Query(ctx, readOrderSQL, id, user)
	if err != nil {
		return nil, fmt.Errorf("read order: %w", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[orderRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, order.ErrOrderNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read order: %w", err)
	}
	return row.order(), nil
}

// PaymentOutcome returns the answer to a PayOrder that was begun: the stored
// one, or the order as it is while the outcome is not known.
func (s *Store) PaymentOutcome(ctx context.Context, req Request, n NewPayment) (*order.Order, error) {
	out, err := idempotency.Find(ctx, s.write, req.key(), req.Hash)
	if err != nil {
		return nil, unavailable(err)
	}
	o, err := s.repeatPayment(ctx, s.write, n, out)
	return o, unavailable(err)
}
