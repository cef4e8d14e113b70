package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

const raiseEpochSQL = `UPDATE users SET epoch = epoch + 1, updated_at = now() WHERE id = $1 RETURNING epoch`

// RevokeUserSessions implements account.Store.
func (s *Store) RevokeUserSessions(ctx context.Context, user uuid.UUID) (ended int, seq int64, err error) {
	err = s.transactRevoking(ctx, "revoke sessions of user", func(tx pgx.Tx) error {
		var epoch int64
		if err := tx.QueryRow(ctx, raiseEpochSQL, user).Scan(&epoch); err != nil {
			return instead(err, account.ErrUserNotFound)
		}
		sessions, err := endSessions(ctx, tx, user, reasonEnded)
		if err != nil {
			return err
		}
		ended = len(sessions)
		seq, err = s.revokeEpochs(ctx, tx, user, epoch)
		return err
	})
	return ended, seq, err
}
