package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const endOthersSQL = `
UPDATE sessions SET revoked_at = now(), reason = $3
WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL RETURNING id`

// RevokeOtherSessions implements account.Store.
func (s *Store) RevokeOtherSessions(ctx context.Context, user, keep uuid.UUID) (ended int, seq int64, err error) {
	err = s.transactRevoking(ctx, "revoke other sessions", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockUserSQL, user); err != nil {
			return err
		}
		sessions, err := column[uuid.UUID](tx.Query(ctx, endOthersSQL, user, keep, reasonEnded))
		if err != nil {
			return err
		}
		ended = len(sessions)
		seq, err = s.revokeSessions(ctx, tx, sessions...)
		return err
	})
	return ended, seq, err
}
