package account

import (
	"context"

	"github.com/google/uuid"
)

type logoutStore interface {
	// EndSession ends the session if it lives, and revokes its tokens unless a
	// rule does so already; a repeated call waits for the same thing.
	EndSession(ctx context.Context, session uuid.UUID) (seq int64, err error)
}

// Logout ends a session, of a user or of a service. When it returns without
// error no replica admits a token of it. The error may be ErrBusy or
// *PendingError.
func (s *Service) Logout(ctx context.Context, session uuid.UUID) (Receipt, error) {
	return s.revoke(ctx, func(ctx context.Context) (int64, error) {
		return s.store.EndSession(ctx, session)
	})
}
