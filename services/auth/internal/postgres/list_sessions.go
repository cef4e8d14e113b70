package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// sessionsSQL pages by id: ids are UUIDv7, so their order is that of the logins.
const sessionsSQL = `
SELECT ` + sessionColumns + ` FROM sessions
WHERE user_id = @user AND revoked_at IS NULL AND expires_at > now() AND rotated_at > now() - @idle::interval
  AND (@after::uuid IS NULL OR id < @after)
ORDER BY id DESC LIMIT @limit`

// Sessions implements account.Store.
func (s *Store) Sessions(ctx context.Context, p account.SessionPage) ([]account.Session, error) {
	after := uuid.NullUUID{UUID: p.After, Valid: p.After != uuid.Nil}
	rows, err := all[sessionRow](s.pool.Query(ctx, sessionsSQL, pgx.NamedArgs{
		"user": p.UserID, "idle": p.Idle, "after": after, "limit": p.Limit,
	}))
	if err != nil {
		return nil, wrap("list sessions", err)
	}
	out := make([]account.Session, len(rows))
	for i, r := range rows {
		out[i] = r.session()
	}
	return out, nil
}
