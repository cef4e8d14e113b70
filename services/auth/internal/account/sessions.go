package account

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// PageLimit is the largest page of a list.
const PageLimit = 100

// SessionPage asks for sessions older than After; the zero After is the first page.
type SessionPage struct {
	UserID uuid.UUID
	After  uuid.UUID
	Limit  int
	Idle   time.Duration // a session that was not refreshed for so long is over
}

type sessionsStore interface {
	// Sessions returns live sessions, newest first: at most Limit.
	Sessions(ctx context.Context, p SessionPage) ([]Session, error)
	// RevokeSession ends the session of the user and revokes its tokens; for a
	// session that has ended it returns the position of the rule that does so
	// already. ErrSessionNotFound if there is no such row.
	RevokeSession(ctx context.Context, user, session uuid.UUID) (Session, int64, error)
}

// ListSessions returns at most limit live sessions of a user, newest first,
// those after the given one, and whether there are more.
func (s *Service) ListSessions(ctx context.Context, user, after uuid.UUID, limit int) (page []Session, more bool, err error) {
	limit = max(1, min(limit, PageLimit))
	page, err = s.store.Sessions(ctx, SessionPage{UserID: user, After: after, Limit: limit + 1, Idle: s.limits.Idle})
	if err != nil {
		return nil, false, err
	}
	if len(page) > limit {
		return page[:limit], true, nil
	}
	return page, false, nil
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
