package rpc

import (
	"context"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// GrantPoints implements ordersv1.OrderAdminServiceServer.
func (s *AdminServer) GrantPoints(ctx context.Context, r *ordersv1.GrantPointsRequest) (*ordersv1.PointsAccount, error) {
	user, err := parseUser("parent", r.GetParent())
	if err != nil {
		return nil, err
	}
	req, err := command(ctx, ordersv1.OrderAdminService_GrantPoints_FullMethodName, user, r)
	if err != nil {
		return nil, err
	}
	a, err := s.Orders.GrantPoints(ctx, req, user, r.GetPoints())
	if err != nil {
		return nil, fail(err)
	}
	return &ordersv1.PointsAccount{Name: userName(a.User) + "/pointsAccount", Balance: a.Balance, Held: a.Held}, nil
}
