package rpc

import (
	"context"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// CancelOrder implements ordersv1.OrderCommandServiceServer. Money is returned
// by the worker, which is woken.
func (s *CommandServer) CancelOrder(ctx context.Context, r *ordersv1.CancelOrderRequest) (*ordersv1.Order, error) {
	user, id, err := parseOrder("name", r.GetName())
	if err != nil {
		return nil, err
	}
	req, err := command(ctx, ordersv1.OrderCommandService_CancelOrder_FullMethodName, user, r)
	if err != nil {
		return nil, err
	}
	o, err := s.Orders.CancelOrder(ctx, req, postgres.Cancellation{User: user, Order: id, Etag: r.GetEtag(), Note: r.GetNote()})
	if err != nil {
		return nil, fail(err)
	}
	s.Changed()
	s.Owed()
	return orderMessage(o, req.Actor.Principal), nil
}
