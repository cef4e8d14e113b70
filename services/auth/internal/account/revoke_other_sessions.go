package account

import (
	"context"

	"github.com/google/uuid"
)

type revokeOtherSessionsStore interface {
	// RevokeOtherSessions ends the sessions of the user but keep, and revokes
	// their tokens, in one transaction. If there are none it returns the head of
	// the feed: what an earlier call has revoked is not after it.
	RevokeOtherSessions(ctx context.Context, user, keep uuid.UUID) (ended int, seq int64, err error)
}

// RevokeOtherSessions ends all sessions of the caller but the one that calls, and
// says how many. When it returns without error no replica admits a token of
// them. The error is ErrBusy or *PendingError.
func (s *Service) RevokeOtherSessions(ctx context.Context, caller Caller) (ended int, r Receipt, err error) {
	r, err = s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		ended, seq, err = s.store.RevokeOtherSessions(ctx, caller.UserID, caller.SessionID)
		return seq, err
	})
	return ended, r, err
}
