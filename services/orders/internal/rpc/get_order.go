package rpc

import (
	"context"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// GetOrder implements ordersv1.OrderQueryServiceServer.
func (s *QueryServer) GetOrder(ctx context.Context, r *ordersv1.GetOrderRequest) (*ordersv1.Order, error) {
	principal, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	user, id, err := parseOrder("name", r.GetName())
	if err != nil {
		return nil, err
	}
	o, err := s.Orders.GetOrder(ctx, user, id, r.GetView() != ordersv1.OrderView_ORDER_VIEW_BASIC)
	if err != nil {
		return nil, fail(err)
	}
	return orderMessage(o, principal), nil
}
