package rpc

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// keyPrefix begins the name of a signing key.
const keyPrefix = "signingKeys/"

// ListSigningKeys implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) ListSigningKeys(ctx context.Context, _ *authv1.ListSigningKeysRequest) (*authv1.ListSigningKeysResponse, error) {
	keys, err := s.Accounts.SigningKeys(ctx)
	if err != nil {
		return nil, fail(err)
	}
	out := &authv1.ListSigningKeysResponse{SigningKeys: make([]*authv1.SigningKey, len(keys))}
	for i, k := range keys {
		out.SigningKeys[i] = keyMessage(k)
	}
	return out, nil
}

// RotateSigningKey implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) RotateSigningKey(ctx context.Context, r *authv1.RotateSigningKeyRequest) (*authv1.RotateSigningKeyResponse, error) {
	primary, err := s.Accounts.RotateSigningKey(ctx, strings.TrimPrefix(r.GetPrimary(), keyPrefix))
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.RotateSigningKeyResponse{Primary: keyMessage(primary)}, nil
}

// RevokeSigningKey implements authv1.UserAdminServiceServer.
func (s *UserAdminServer) RevokeSigningKey(ctx context.Context, r *authv1.RevokeSigningKeyRequest) (*authv1.RevokeSigningKeyResponse, error) {
	revoked, primary, receipt, err := s.Accounts.RevokeSigningKey(ctx, strings.TrimPrefix(r.GetName(), keyPrefix), r.GetEmergency())
	if err != nil {
		return nil, fail(err)
	}
	return &authv1.RevokeSigningKeyResponse{
		SigningKey: keyMessage(revoked), Primary: keyMessage(primary), Revocation: receiptMessage(receipt),
	}, nil
}

func keyMessage(k signingkey.Key) *authv1.SigningKey {
	return &authv1.SigningKey{
		Name:        keyPrefix + k.ID,
		State:       authv1.SigningKeyState(k.State), //nolint:gosec // one of four
		CreateTime:  timestamppb.New(k.CreatedAt),
		PrimaryTime: optionalTime(k.PrimaryAt),
		EndTime:     optionalTime(k.EndedAt),
	}
}

func optionalTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
