package rpc

import (
	"context"

	"github.com/google/uuid"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// CreateOrder implements ordersv1.OrderCommandServiceServer.
func (s *CommandServer) CreateOrder(ctx context.Context, r *ordersv1.CreateOrderRequest) (*ordersv1.Order, error) {
	user, err := parseUser("parent", r.GetParent())
	if err != nil {
		return nil, err
	}
	req, err := command(ctx, ordersv1.OrderCommandService_CreateOrder_FullMethodName, user, r)
	if err != nil {
		return nil, err
	}
	n := postgres.NewOrder{User: user, Address: address(r.GetOrder().GetShippingAddress()), Points: r.GetOrder().GetRedeemedPoints(), Note: r.GetOrder().GetCustomerNote()}
	if n.ID, err = newOrderID(r.GetOrderId()); err != nil {
		return nil, err
	}
	if n.Wishes, err = wishes(r.GetOrder().GetLineItems()); err != nil {
		return nil, err
	}
	o, err := s.Orders.CreateOrder(ctx, req, n)
	if err != nil {
		return nil, fail(err)
	}
	s.Changed()
	return orderMessage(o, req.Actor.Principal), nil
}

// newOrderID takes the caller's choice or makes a UUIDv7, whose order is that
// of creation.
func newOrderID(chosen string) (uuid.UUID, error) {
	if chosen == "" {
		return uuid.NewV7()
	}
	return parseID("order_id", chosen)
}
