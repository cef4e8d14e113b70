package rpc

import (
	"context"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// UpdateOrder implements ordersv1.OrderCommandServiceServer.
func (s *CommandServer) UpdateOrder(ctx context.Context, r *ordersv1.UpdateOrderRequest) (*ordersv1.Order, error) {
	user, id, err := parseOrder("order.name", r.GetOrder().GetName())
	if err != nil {
		return nil, err
	}
	req, err := command(ctx, ordersv1.OrderCommandService_UpdateOrder_FullMethodName, user, r)
	if err != nil {
		return nil, err
	}
	e := postgres.OrderEdit{User: user, ID: id, Etag: r.GetOrder().GetEtag()}
	if err := masked(&e, r); err != nil {
		return nil, err
	}
	o, err := s.Orders.UpdateOrder(ctx, req, e)
	if err != nil {
		return nil, fail(err)
	}
	s.Changed()
	return orderMessage(o, req.Actor.Principal), nil
}

// masked takes the fields that the mask names.
func masked(e *postgres.OrderEdit, r *ordersv1.UpdateOrderRequest) (err error) {
	for _, path := range r.GetUpdateMask().GetPaths() {
		switch path {
		case "line_items":
			if e.Wishes, err = wishes(r.GetOrder().GetLineItems()); err != nil {
				return err
			}
		case "shipping_address":
			if r.GetOrder().GetShippingAddress() == nil {
				return invalid("order.shipping_address", "an order needs a shipping address")
			}
			a := address(r.GetOrder().GetShippingAddress())
			e.Address = &a
		case "redeemed_points":
			points := r.GetOrder().GetRedeemedPoints()
			e.Points = &points
		case "customer_note":
			note := r.GetOrder().GetCustomerNote()
			e.Note = &note
		default:
			return invalid("update_mask", "names a field that cannot be updated")
		}
	}
	return nil
}
