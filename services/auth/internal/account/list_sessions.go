package account

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// pageLimit is the largest page of a list.
const pageLimit = 100

// SessionPage asks for sessions older than After; the zero After is the first page.
type SessionPage struct {
	UserID uuid.UUID
	After  uuid.UUID
	Limit  int
	Idle   time.Duration // a session that was not refreshed for so long is over
}

type listSessionsStore interface {
	// Sessions returns live sessions, newest first: at most Limit.
	Sessions(ctx context.Context, p SessionPage) ([]Session, error)
}

// ListSessions returns at most limit live sessions of a user, newest first,
// those after the given one, and whether there are more.
func (s *Service) ListSessions(ctx context.Context, user, after uuid.UUID, limit int) (page []Session, more bool, err error) {
	limit = max(1, min(limit, pageLimit))
	page, err = s.store.Sessions(ctx, SessionPage{UserID: user, After: after, Limit: limit + 1, Idle: s.limits.Idle})
	if err != nil {
		return nil, false, err
	}
	if len(page) > limit {
		return page[:limit], true, nil
	}
	return page, false, nil
}
