package rpc

import (
	"context"
	"time"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// outcomeLimit bounds reading the outcome of a payment that was made, which
// goes on when the caller has gone.
const outcomeLimit = 5 * time.Second

// PayOrder implements ordersv1.OrderCommandServiceServer. The call to the
// provider is between two transactions; if its outcome is not known in time the
// answer is the order in PAYING, and a worker brings the payment to its end.
func (s *CommandServer) PayOrder(ctx context.Context, r *ordersv1.PayOrderRequest) (*ordersv1.Order, error) {
	user, id, err := parseOrder("name", r.GetName())
	if err != nil {
		return nil, err
	}
	req, err := command(ctx, postgres.PayMethod, user, r)
	if err != nil {
		return nil, err
	}
	n := postgres.NewPayment{User: user, Order: id, Etag: r.GetEtag(), MethodToken: r.GetPaymentMethodToken()}
	o, attempt, err := s.Orders.BeginPayment(ctx, req, n)
	if err != nil {
		return nil, fail(err)
	}
	defer s.Changed()
	defer s.Owed()
	if attempt != nil {
		if err := s.Payments.Drive(ctx, attempt); err != nil {
			return nil, fail(err)
		}
		if o, err = s.outcome(ctx, req, n); err != nil {
			return nil, fail(err)
		}
	}
	return orderMessage(o, req.Actor.Principal), nil
}

func (s *CommandServer) outcome(ctx context.Context, req postgres.Request, n postgres.NewPayment) (*order.Order, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeLimit)
	defer cancel()
	return s.Orders.PaymentOutcome(ctx, req, n)
}
