package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// lockUserSQL waits for logins that are under way, whose sessions count, and
// lets later ones wait.
const lockUserSQL = `SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE`

const endOthersSQL = `
UPDATE sessions SET revoked_at = now(), reason = $3
WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL RETURNING id`

// RevokeOtherSessions implements account.Store.
func (s *Store) RevokeOtherSessions(ctx context.Context, user, keep uuid.UUID) (ended int, seq int64, err error) {
	err = s.transactRevoking(ctx, "revoke other sessions", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockUserSQL, user); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, endOthersSQL, user, keep, reasonEnded)
		if err != nil {
			return err
		}
		sessions, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return err
		}
		if ended = len(sessions); ended == 0 {
			return tx.QueryRow(ctx, `SELECT seq FROM revocation_head`).Scan(&seq)
		}
		seq, err = s.revokeSessions(ctx, tx, sessions...)
		return err
	})
	return ended, seq, err
}

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
