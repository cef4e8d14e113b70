package account

import (
	"context"

	"github.com/google/uuid"
)

type revokeSessionStore interface {
	// RevokeSession ends the session of the user and revokes its tokens; for a
	// session that has ended it returns the position of the rule that does so
	// already. ErrSessionNotFound if there is no such row.
	RevokeSession(ctx context.Context, user, session uuid.UUID) (Session, int64, error)
}

// RevokeSession ends one session of a user. When it returns without error no
// replica admits a token of it. The error is ErrSessionNotFound, ErrBusy or
// *PendingError.
func (s *Service) RevokeSession(ctx context.Context, user, session uuid.UUID) (Session, Receipt, error) {
	var ended Session
	receipt, err := s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		ended, seq, err = s.store.RevokeSession(ctx, user, session)
		return seq, err
	})
	return ended, receipt, err
}
