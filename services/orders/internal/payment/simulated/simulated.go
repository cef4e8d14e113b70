// Package simulated is a payment provider for development and tests. It keeps
// its books in tables of its own, as strictly as a real one: each key acts
// once, a void and a capture exclude each other, no more is refunded than was
// captured. All replicas of the service share it.
package simulated

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
)

// Name is how payments of this provider are marked.
const Name = "simulated"

// Payment method tokens with a meaning; every other one is accepted.
const (
	// TokenDeclined is declined when it is authorized.
	TokenDeclined = "sim_declined"
	// TokenCaptureDeclined is authorized and declined when it is captured.
	TokenCaptureDeclined = "sim_capture_declined"
	// TokenAnswerLost is accepted, and no answer to an authorization arrives.
	TokenAnswerLost = "sim_answer_lost"
)

var errAnswerLost = errors.New("the answer was lost")

// Provider implements payment.Provider. It is safe for concurrent use.
type Provider struct {
	db    *pgxpool.Pool
	wants func(payment.Attempt) bool
}

// Option changes a Provider.
type Option func(*Provider)

// WithDecision decides which operations are accepted, as far as the books allow
// them, instead of the tokens.
func WithDecision(accepts func(payment.Attempt) bool) Option {
	return func(p *Provider) { p.wants = accepts }
}

// New returns a Provider on a database with the service's schema.
func New(db *pgxpool.Pool, options ...Option) *Provider {
	p := &Provider{db: db, wants: byToken}
	for _, o := range options {
		o(p)
	}
	return p
}

func byToken(a payment.Attempt) bool {
	switch {
	case a.Operation == order.Authorize:
		return a.MethodToken != TokenDeclined
	case a.Operation == order.Capture:
		return a.MethodToken != TokenCaptureDeclined
	default:
		return true
	}
}

const (
	lockSQL = `SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`
	findSQL = `SELECT accepted FROM simulated_operations WHERE key = $1`
	// What the books say of the payment.
	booksSQL = `SELECT coalesce(sum(amount_minor) FILTER (WHERE operation = 'authorize'), 0)::bigint,
  coalesce(sum(amount_minor) FILTER (WHERE operation = 'capture'), 0)::bigint,
  coalesce(sum(amount_minor) FILTER (WHERE operation = 'refund'), 0)::bigint,
  coalesce(bool_or(operation = 'void'), false)
FROM simulated_operations WHERE payment_id = $1 AND accepted`
	insertSQL = `INSERT INTO simulated_operations (key, payment_id, operation, amount_minor, currency, accepted) VALUES ($1, $2, $3, $4, $5, $6)`
)

// Do implements payment.Provider.
func (p *Provider) Do(ctx context.Context, a payment.Attempt) (accepted bool, err error) {
	err = pgx.BeginFunc(ctx, p.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockSQL, a.Payment.String()); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, findSQL, a.ID).Scan(&accepted)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		var b books
		if err := tx.QueryRow(ctx, booksSQL, a.Payment).Scan(&b.authorized, &b.captured, &b.refunded, &b.voided); err != nil {
			return err
		}
		accepted = b.allow(a) && p.wants(a)
		_, err = tx.Exec(ctx, insertSQL, a.ID, a.Payment, a.Operation, a.AmountMinor, a.Currency, accepted)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("simulated provider: %w", err)
	}
	if a.MethodToken == TokenAnswerLost && a.Operation == order.Authorize {
		return false, errAnswerLost
	}
	return accepted, nil
}

type books struct {
	authorized, captured, refunded int64
	voided                         bool
}

func (b books) allow(a payment.Attempt) bool {
	switch a.Operation {
	case order.Authorize:
		return b.authorized == 0
	case order.Capture:
		return !b.voided && b.captured == 0 && a.AmountMinor <= b.authorized
	case order.Void:
		return b.authorized > 0 && b.captured == 0 && !b.voided
	case order.RefundAmount:
		return b.refunded+a.AmountMinor <= b.captured
	}
	return false
}

// Find implements payment.Provider.
func (p *Provider) Find(ctx context.Context, id uuid.UUID) (accepted, found bool, err error) {
	err = p.db.QueryRow(ctx, findSQL, id).Scan(&accepted)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("simulated provider: %w", err)
	}
	return accepted, true, nil
}
