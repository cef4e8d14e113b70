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
	// RevokeOtherSessions ends the sessions of the user but keep, and revokes
	// their tokens, in one transaction. If there are none it returns the head of
	// the feed: what an earlier call has revoked is not after it.
	RevokeOtherSessions(ctx context.Context, user, keep uuid.UUID) (ended int, seq int64, err error)
	// RevokeUserSessions ends all sessions of the user, raises the epoch and
	// revokes the older ones, in one transaction. ErrUserNotFound if there is no
	// such user.
	RevokeUserSessions(ctx context.Context, user uuid.UUID) (ended int, seq int64, err error)
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
