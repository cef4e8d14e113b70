package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// endSessionSQL keeps when and why a session ended the first time.
const endSessionSQL = `
UPDATE sessions SET revoked_at = coalesce(revoked_at, now()), reason = coalesce(reason, $2) WHERE id = $1`

// EndSession implements account.Store. A service's session has no row: its
// tokens are revoked by the rule alone.
func (s *Store) EndSession(ctx context.Context, session uuid.UUID) (seq int64, err error) {
	err = s.transactRevoking(ctx, "end session", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, endSessionSQL, session, reasonEnded); err != nil {
			return err
		}
		seq, err = s.revokeEnded(ctx, tx, session)
		return err
	})
	return seq, err
}
