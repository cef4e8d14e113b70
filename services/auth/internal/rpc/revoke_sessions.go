package rpc

import (
	"context"

	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// RevokeOtherSessions implements authv1.AccountServiceServer.
func (s *AccountServer) RevokeOtherSessions(ctx context.Context, _ *authv1.RevokeOtherSessionsRequest) (*authv1.RevokeOtherSessionsResponse, error) {
	me, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	ended, receipt, err := s.Accounts.RevokeOtherSessions(ctx, me)
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.RevokeOtherSessionsResponse{Ended: int32(ended), Revocation: receiptMessage(receipt)}, nil //nolint:gosec // sessions of a user
}

// RevokeUserSessions implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) RevokeUserSessions(ctx context.Context, r *authv1.RevokeUserSessionsRequest) (*authv1.RevokeUserSessionsResponse, error) {
	id, err := parseUser(r.GetName())
	if err != nil {
		return nil, fail(err)
	}
	ended, receipt, err := s.Accounts.RevokeUserSessions(ctx, id)
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.RevokeUserSessionsResponse{Ended: int32(ended), Revocation: receiptMessage(receipt)}, nil //nolint:gosec // sessions of a user
}
