package rpc

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
)

// ListExternalIdentities implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) ListExternalIdentities(ctx context.Context, r *authv1.ListExternalIdentitiesRequest) (*authv1.ListExternalIdentitiesResponse, error) {
	user, err := parseUser(r.GetParent())
	if err != nil {
		return nil, fail(err)
	}
	identities, err := s.Accounts.ExternalIdentities(ctx, user)
	if err != nil {
		return nil, fail(err)
	}
	out := &authv1.ListExternalIdentitiesResponse{ExternalIdentities: make([]*authv1.ExternalIdentity, len(identities))}
	for n, i := range identities {
		out.ExternalIdentities[n] = &authv1.ExternalIdentity{Issuer: i.Issuer, Subject: i.Subject, CreateTime: timestamppb.New(i.CreatedAt)}
	}
	return out, nil
}

// LinkExternalIdentity implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) LinkExternalIdentity(ctx context.Context, r *authv1.LinkExternalIdentityRequest) (*authv1.LinkExternalIdentityResponse, error) {
	user, err := parseUser(r.GetName())
	if err != nil {
		return nil, fail(err)
	}
	if err := s.Accounts.LinkExternalIdentity(ctx, user, r.GetIssuer(), r.GetSubject()); err != nil {
		return nil, fail(err)
	}
	return &authv1.LinkExternalIdentityResponse{}, nil
}

// UnlinkExternalIdentity implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) UnlinkExternalIdentity(ctx context.Context, r *authv1.UnlinkExternalIdentityRequest) (*authv1.UnlinkExternalIdentityResponse, error) {
	user, err := parseUser(r.GetName())
	if err != nil {
		return nil, fail(err)
	}
	unlinked, receipt, err := s.Accounts.UnlinkExternalIdentity(ctx, user, r.GetIssuer(), r.GetSubject())
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.UnlinkExternalIdentityResponse{
		Unlinked: unlinked.Found, Ended: int32(unlinked.Ended), Revocation: receiptMessage(receipt), //nolint:gosec // sessions of a user
	}, nil
}
