package rpc

import (
	"context"

	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// UserAdminServer implements authv1.UserAdminServiceServer.
type UserAdminServer struct {
	authv1.UnsafeUserAdminServiceServer

	Accounts *account.Service
}

var _ authv1.UserAdminServiceServer = (*UserAdminServer)(nil)

// GetUser implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) GetUser(ctx context.Context, r *authv1.GetUserRequest) (*authv1.User, error) {
	id, err := parseUser(r.GetName())
	if err != nil {
		return nil, fail(err)
	}
	user, err := s.Accounts.GetUser(ctx, id)
	if err != nil {
		return nil, fail(err)
	}
	return userMessage(user), nil
}

// DeactivateUser implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) DeactivateUser(ctx context.Context, r *authv1.DeactivateUserRequest) (*authv1.DeactivateUserResponse, error) {
	id, err := parseUser(r.GetName())
	if err != nil {
		return nil, fail(err)
	}
	user, receipt, err := s.Accounts.Deactivate(ctx, id)
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.DeactivateUserResponse{User: userMessage(user), Revocation: receiptMessage(receipt)}, nil
}

// ReactivateUser implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) ReactivateUser(ctx context.Context, r *authv1.ReactivateUserRequest) (*authv1.ReactivateUserResponse, error) {
	id, err := parseUser(r.GetName())
	if err != nil {
		return nil, fail(err)
	}
	user, err := s.Accounts.Reactivate(ctx, id)
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.ReactivateUserResponse{User: userMessage(user)}, nil
}

// SetUserRoles implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) SetUserRoles(ctx context.Context, r *authv1.SetUserRolesRequest) (*authv1.SetUserRolesResponse, error) {
	id, err := parseUser(r.GetName())
	if err != nil {
		return nil, fail(err)
	}
	user, receipt, err := s.Accounts.SetRoles(ctx, id, r.GetRoles())
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.SetUserRolesResponse{User: userMessage(user), Revocation: receiptMessage(receipt)}, nil
}
