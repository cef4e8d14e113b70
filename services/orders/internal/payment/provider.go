// Package payment talks to payment providers. What an outcome means is decided
// by internal/order and applied by internal/postgres, always in the same
// transaction; this package only asks, and asks again.
package payment

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// Attempt is one operation that the provider is asked for. Its row is in the
// database before the first call leaves.
type Attempt struct {
	// ID is the idempotency key at the provider: every repetition has the same.
	ID          uuid.UUID
	Payment     uuid.UUID
	Operation   order.Operation
	AmountMinor int64
	Currency    string
	MethodToken string
	// SendBefore is until when this process may send it: later the provider may
	// have forgotten the key, and would act twice. Wall clock without a
	// monotonic reading, which stands still while a machine is suspended.
	SendBefore time.Time
}

// SendBefore is the limit of an attempt that is so old now.
func SendBefore(age time.Duration) time.Time {
	return time.Now().Round(0).Add(sendLimit - age)
}

// Provider is a payment provider: it acts once per attempt id, whenever and
// however often the request arrives, and keeps ids for at least KeyRetention.
// An error means that the outcome is not known; it never means no.
type Provider interface {
	// Do asks for the operation.
	Do(ctx context.Context, a Attempt) (accepted bool, err error)
	// Find asks what became of an attempt. Not found is not an answer: the
	// request may still be under way.
	Find(ctx context.Context, id uuid.UUID) (accepted, found bool, err error)
}
