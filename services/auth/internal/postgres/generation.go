package postgres

import (
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// generationRow is the current generation as the session row holds it.
type generationRow struct {
	ID       uuid.UUID
	UserID   uuid.UUID
	Gen      int32
	TokenKid int64
	Jti      uuid.UUID
	IssuedAt time.Time
	AuthTime time.Time
}

func (r generationRow) generation(epoch int64, roles []string) account.Generation {
	return account.Generation{
		SessionID: r.ID, UserID: r.UserID, Number: r.Gen,
		MACKey:  uint32(r.TokenKid), //nolint:gosec // written from a uint32
		TokenID: r.Jti, IssuedAt: r.IssuedAt, AuthTime: r.AuthTime, Epoch: epoch, Roles: roles,
	}
}
