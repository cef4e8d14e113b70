package rpc

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// SearchOrders implements ordersv1.OrderAdminServiceServer.
func (s *AdminServer) SearchOrders(ctx context.Context, r *ordersv1.SearchOrdersRequest) (*ordersv1.SearchOrdersResponse, error) {
	principal, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	q := postgres.Search{State: order.State(r.GetState())} //nolint:gosec // A defined value of the enum.
	if r.GetUser() != "" {
		user, err := parseUser("user", r.GetUser())
		if err != nil {
			return nil, err
		}
		q.User = &user
	}
	if q.From, err = moment("start_time", r.GetStartTime()); err != nil {
		return nil, err
	}
	if q.Until, err = moment("end_time", r.GetEndTime()); err != nil {
		return nil, err
	}
	list := []string{"SearchOrders", principal, r.GetState().String(), r.GetUser(), q.From.String(), q.Until.String()}
	var after postgres.Position
	if _, err := s.Pages.Open(r.GetPageToken(), &after, list...); err != nil {
		return nil, fail(err)
	}
	page, err := s.Orders.SearchOrders(ctx, q, after, pageSize(r.GetPageSize(), defaultOrders, maxOrders))
	if err != nil {
		return nil, fail(err)
	}
	out := &ordersv1.SearchOrdersResponse{}
	out.Orders, out.NextPageToken, err = orderPage(page, principal, s.Pages, list...)
	return out, err
}

// moment reads a time; the zero time if it is not set.
func moment(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, invalid(field, "is no valid time")
	}
	return t.AsTime(), nil
}
