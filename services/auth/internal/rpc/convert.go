package rpc

import (
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

func userMessage(u account.User) *authv1.User {
	return &authv1.User{
		Name:       userName(u.ID),
		Email:      u.Email,
		Roles:      u.Roles,
		Active:     u.Active,
		CreateTime: timestamppb.New(u.CreatedAt),
		UpdateTime: timestamppb.New(u.UpdatedAt),
	}
}

func sessionMessage(s account.Session, currentID string) *authv1.Session {
	return &authv1.Session{
		Name:        sessionName(s.UserID, s.ID),
		Device:      s.Device,
		CreateTime:  timestamppb.New(s.CreatedAt),
		LastUseTime: timestamppb.New(s.LastUsedAt),
		ExpireTime:  timestamppb.New(s.ExpiresAt),
		Current:     s.ID.String() == currentID,
	}
}

func receiptMessage(r account.Receipt) *revocationv1.Receipt {
	return &revocationv1.Receipt{
		Seq:     r.Seq,
		Acked:   int32(r.Acked),   //nolint:gosec // bounded by the watchers of an engine
		Expired: int32(r.Expired), //nolint:gosec // likewise
		Waited:  durationpb.New(r.Waited),
	}
}
