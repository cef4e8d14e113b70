package account

import (
	"context"

	"github.com/google/uuid"
)

type revokeUserSessionsStore interface {
	// RevokeUserSessions ends all sessions of the user, raises the epoch and
	// revokes the older ones, in one transaction. ErrUserNotFound if there is no
	// such user.
	RevokeUserSessions(ctx context.Context, user uuid.UUID) (ended int, seq int64, err error)
}

// RevokeUserSessions ends all sessions of a user, who may log in again, and says
// how many. When it returns without error no replica admits a token of the user
// from before. The error is ErrUserNotFound, ErrBusy or *PendingError.
func (s *Service) RevokeUserSessions(ctx context.Context, user uuid.UUID) (ended int, r Receipt, err error) {
	r, err = s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		ended, seq, err = s.store.RevokeUserSessions(ctx, user)
		return seq, err
	})
	return ended, r, err
}
