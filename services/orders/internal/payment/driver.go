package payment

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// Book keeps the attempts; internal/postgres is one.
type Book interface {
	// Apply applies an outcome, once, and returns what to ask for next, or nil.
	Apply(ctx context.Context, attempt uuid.UUID, outcome order.Outcome) (next *Attempt, err error)
	// Due takes an open attempt that nobody seems to work on, with its age.
	Due(ctx context.Context) (a Attempt, age time.Duration, ok bool, err error)
}

var errTooOld = errors.New("the provider may have forgotten the key of this attempt")

// Driver asks the provider and applies its answers. It is safe for concurrent
// use; two drivers on one attempt are harmless, since the provider acts once
// per key and only the first answer is applied.
type Driver struct {
	book     Book
	provider Provider
	timeouts Timeouts
	log      *slog.Logger
}

// Timeouts bound what a Driver does.
type Timeouts struct {
	// Call to the provider.
	Call time.Duration
	// Apply of an answer; it also runs when the caller has gone meanwhile.
	Apply time.Duration
}

// NewDriver returns a Driver.
func NewDriver(book Book, provider Provider, timeouts Timeouts, log *slog.Logger) *Driver {
	return &Driver{book: book, provider: provider, timeouts: timeouts, log: log}
}

// Drive asks for the operation of a fresh attempt and for what follows from its
// outcome, until nothing is left to ask for or an outcome is not known. Then
// the attempt stays open, and a worker goes on with it; that is no error.
func (d *Driver) Drive(ctx context.Context, a *Attempt) error {
	for a != nil {
		accepted, err := d.call(ctx, *a)
		if err != nil {
			d.log.WarnContext(ctx, "outcome of a payment operation is not known",
				"attempt", a.ID, "operation", a.Operation, "error", err)
			return nil
		}
		if a, err = d.apply(ctx, a.ID, order.Answer(accepted)); err != nil {
			return err
		}
	}
	return nil
}

func (d *Driver) call(ctx context.Context, a Attempt) (bool, error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	// Here and not where the age was read: the process may have been stopped for
	// hours in between.
	if !time.Now().Round(0).Before(a.SendBefore) {
		return false, errTooOld
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeouts.Call, errors.New("the provider did not answer in time"))
	defer cancel()
	return d.provider.Do(ctx, a)
}

// apply outlives the caller: an answer that is known must not be thrown away
// because a client hung up.
func (d *Driver) apply(ctx context.Context, id uuid.UUID, outcome order.Outcome) (*Attempt, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.timeouts.Apply)
	defer cancel()
	return d.book.Apply(ctx, id, outcome)
}
