package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// revokeSessionSQL keeps when and why a session ended the first time.
const revokeSessionSQL = `
UPDATE sessions SET revoked_at = coalesce(revoked_at, now()), reason = coalesce(reason, $3)
WHERE id = $1 AND user_id = $2 RETURNING ` + sessionColumns

// RevokeSession implements account.Store.
func (s *Store) RevokeSession(ctx context.Context, user, session uuid.UUID) (account.Session, int64, error) {
	var ended account.Session
	var seq int64
	err := s.transactRevoking(ctx, "revoke session", func(tx pgx.Tx) error {
		row, err := one[sessionRow](tx.Query(ctx, revokeSessionSQL, session, user, reasonEnded))
		if err != nil {
			return instead(err, account.ErrSessionNotFound)
		}
		ended = row.session()
		seq, err = s.revokeEnded(ctx, tx, session)
		return err
	})
	return ended, seq, err
}
