package postgres

import (
	"context"
	_ "embed"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

//go:embed refresh.sql
var refreshSQL string

// refreshRow is NULL in most columns when the token was refused.
type refreshRow struct {
	ID       *uuid.UUID
	UserID   *uuid.UUID
	Gen      *int32
	TokenKid *int64
	Jti      *uuid.UUID
	IssuedAt *time.Time
	AuthTime *time.Time
	Epoch    *int64
	Roles    []string
	Ahead    bool
	Again    bool
	Refused  string
}

// Refresh implements account.Store.
func (s *Store) Refresh(ctx context.Context, p account.Presented) (account.Refreshed, error) {
	r, err := one[refreshRow](s.pool.Query(ctx, refreshSQL,
		p.SessionID, p.Generation, p.RetryHash, p.FreshID, int64(p.MACKey), p.Window, p.Idle, s.keep, p.Window, s.issuer))
	if err != nil {
		return account.Refreshed{}, wrap("refresh", err)
	}
	switch r.Refused {
	case "":
		row := generationRow{
			ID: *r.ID, UserID: *r.UserID, Gen: *r.Gen, TokenKid: *r.TokenKid,
			Jti: *r.Jti, IssuedAt: *r.IssuedAt, AuthTime: *r.AuthTime,
		}
		return account.Refreshed{Generation: row.generation(*r.Epoch, r.Roles), Again: r.Again}, nil
	case "REFRESH_REUSED":
		return account.Refreshed{Refused: account.ErrRefreshReused}, nil
	case "REFRESH_UNKNOWN":
		return account.Refreshed{Refused: account.ErrRefreshUnknown, Ahead: r.Ahead}, nil
	case "REFRESH_EXPIRED":
		return account.Refreshed{Refused: account.ErrRefreshExpired}, nil
	case "RETRY_KEY_REQUIRED":
		return account.Refreshed{Refused: account.ErrRetryKeyRequired}, nil
	default:
		return account.Refreshed{Refused: account.ErrSessionRevoked}, nil
	}
}
