package payment

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

// KeyRetention is how long a provider remembers idempotency keys (Stripe: at
// least 24 h). Beyond it not found means that the operation never happened,
// and what is still needed gets a new attempt.
const KeyRetention = 24 * time.Hour

// sendLimit is the age from which an attempt is only asked about, never sent
// again. What is left to KeyRetention is for calls that are on their way.
const sendLimit = 23 * time.Hour

// overdue is the age from which an open attempt wants a person's attention: its
// order holds stock all that time.
const overdue = 15 * time.Minute

// Worker brings attempts to their end whose outcome is not known: after a lost
// answer, a timeout, a killed process.
type Worker struct {
	driver *Driver
	poll   time.Duration
	wake   chan struct{}
}

// NewWorker returns a Worker that looks for work every poll.
func NewWorker(d *Driver, poll time.Duration) *Worker {
	return &Worker{driver: d, poll: poll, wake: make(chan struct{}, 1)}
}

// Wake makes the worker look at once. It never blocks.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. A call to the provider that is under way then is
// cut off and its attempt stays open; a stop never declares anything declined.
func (w *Worker) Run(ctx context.Context) error {
	ticker := time.NewTicker(w.poll)
	defer ticker.Stop()
	for {
		worked, err := w.Step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			w.driver.log.WarnContext(ctx, "payment worker failed", "error", err)
		}
		if worked && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		case <-ticker.C:
		}
	}
}

// Step takes one due attempt as far as it can; false if none was due.
func (w *Worker) Step(ctx context.Context) (worked bool, err error) {
	a, age, ok, err := w.driver.book.Due(ctx)
	if err != nil || !ok {
		return false, err
	}
	if age > overdue {
		w.driver.log.ErrorContext(ctx, "payment operation is open for too long", "attempt", a.ID, "operation", a.Operation, "age", age)
	}
	accepted, found, err := w.find(ctx, a.ID)
	outcome := order.Answer(accepted)
	switch {
	case err != nil:
		return true, err
	case found:
	case age >= KeyRetention:
		outcome = order.Never
	default:
		// Not found is no answer: the first request may arrive any moment. The
		// same key again makes it one operation.
		return true, w.driver.Drive(ctx, &a)
	}
	next, err := w.driver.apply(ctx, a.ID, outcome)
	if err != nil {
		return true, err
	}
	return true, w.driver.Drive(ctx, next)
}

func (w *Worker) find(ctx context.Context, id uuid.UUID) (accepted, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.driver.timeouts.Call)
	defer cancel()
	return w.driver.provider.Find(ctx, id)
}
