package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

const (
	unlinkSQL = `DELETE FROM external_identities WHERE user_id = $1 AND issuer = $2 AND subject = $3`
	// endFromSQL: a session says from which issuer it came, and not by which of its
	// subjects, of which a user has one as a rule.
	endFromSQL = `
UPDATE sessions SET revoked_at = now(), reason = $3
WHERE user_id = $1 AND external_issuer = $2 AND revoked_at IS NULL RETURNING id`
)

// UnlinkExternalIdentity implements account.Store.
func (s *Store) UnlinkExternalIdentity(ctx context.Context, user uuid.UUID, issuer, subject string) (u account.Unlinked, seq int64, err error) {
	err = s.transactRevoking(ctx, "unlink external identity", func(tx pgx.Tx) error {
		if err := lockOwner(ctx, tx, user); err != nil {
			return err
		}
		gone, err := tx.Exec(ctx, unlinkSQL, user, issuer, subject)
		if err != nil {
			return err
		}
		var sessions []uuid.UUID
		if u.Found = gone.RowsAffected() > 0; u.Found {
			if sessions, err = column[uuid.UUID](tx.Query(ctx, endFromSQL, user, issuer, reasonEnded)); err != nil {
				return err
			}
		}
		u.Ended = len(sessions)
		seq, err = s.revokeSessions(ctx, tx, sessions...)
		return err
	})
	return u, seq, err
}
