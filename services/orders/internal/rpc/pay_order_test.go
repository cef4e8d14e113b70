package rpc

import (
	"context"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// watched is a database that looks at the context of a read.
type watched struct {
	Commands
	seen func(context.Context)
}

func (w watched) PaymentOutcome(ctx context.Context, _ postgres.Request, _ postgres.NewPayment) (*order.Order, error) {
	w.seen(ctx)
	return &order.Order{}, nil
}

// A payment that was made is told to whoever still listens, within a limit of
// its own.
func TestTheOutcomeOfAPaymentIsReadForACallerThatHasGoneButNotForEver(t *testing.T) {
	t.Parallel()
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	read := false
	s := &CommandServer{Orders: watched{seen: func(ctx context.Context) {
		read = true
		if d, ok := ctx.Deadline(); !ok || time.Until(d) > outcomeLimit || ctx.Err() != nil {
			t.Errorf("read until %v, %v", d, ctx.Err())
		}
	}}}
	if _, err := s.outcome(ctx, postgres.Request{}, postgres.NewPayment{}); err != nil || !read {
		t.Fatal(read, err)
	}
}
