package rpc

import (
	"context"

	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// ListExternalIssuers implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) ListExternalIssuers(ctx context.Context, _ *authv1.ListExternalIssuersRequest) (*authv1.ListExternalIssuersResponse, error) {
	issuers, err := s.Accounts.ExternalIssuers(ctx)
	if err != nil {
		return nil, fail(err)
	}
	out := &authv1.ListExternalIssuersResponse{ExternalIssuers: make([]*authv1.ExternalIssuer, len(issuers))}
	for n, i := range issuers {
		out.ExternalIssuers[n] = issuerMessage(i)
	}
	return out, nil
}

// RevokeExternalIssuer implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) RevokeExternalIssuer(ctx context.Context, r *authv1.RevokeExternalIssuerRequest) (*authv1.RevokeExternalIssuerResponse, error) {
	revoked, ended, receipt, err := s.Accounts.RevokeExternalIssuer(ctx, r.GetIssuer(), r.GetAllowMissing())
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.RevokeExternalIssuerResponse{ExternalIssuer: issuerMessage(revoked), Ended: ended, Revocation: receiptMessage(receipt)}, nil
}

// AcceptExternalIssuer implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) AcceptExternalIssuer(ctx context.Context, r *authv1.AcceptExternalIssuerRequest) (*authv1.AcceptExternalIssuerResponse, error) {
	accepted, err := s.Accounts.AcceptExternalIssuer(ctx, r.GetIssuer())
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.AcceptExternalIssuerResponse{ExternalIssuer: issuerMessage(accepted)}, nil
}

func issuerMessage(i account.ExternalIssuer) *authv1.ExternalIssuer {
	return &authv1.ExternalIssuer{
		Issuer:       i.Issuer,
		Configured:   i.Configured,
		RevokeTime:   optionalTime(i.RevokedAt),
		RefuseUntil:  optionalTime(i.RefuseUntil),
		LiveSessions: i.Sessions,
	}
}
