package rpc

import (
	"context"

	"github.com/google/uuid"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// ListOrders implements ordersv1.OrderQueryServiceServer.
func (s *QueryServer) ListOrders(ctx context.Context, r *ordersv1.ListOrdersRequest) (*ordersv1.ListOrdersResponse, error) {
	principal, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	var user *uuid.UUID
	if r.GetParent() != allUsers {
		id, err := parseUser("parent", r.GetParent())
		if err != nil {
			return nil, err
		}
		user = &id
	}
	list := []string{"ListOrders", principal, r.GetParent(), r.GetView().String()}
	var after postgres.Position
	if _, err := s.Pages.Open(r.GetPageToken(), &after, list...); err != nil {
		return nil, fail(err)
	}
	full := r.GetView() == ordersv1.OrderView_ORDER_VIEW_FULL
	page, err := s.Orders.ListOrders(ctx, user, after, pageSize(r.GetPageSize(), defaultOrders, maxOrders), full)
	if err != nil {
		return nil, fail(err)
	}
	out := &ordersv1.ListOrdersResponse{}
	out.Orders, out.NextPageToken, err = orderPage(page, principal, s.Pages, list...)
	return out, err
}
