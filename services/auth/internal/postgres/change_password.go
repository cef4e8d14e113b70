package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

const raiseCredentialSQL = `
UPDATE users SET epoch = epoch + 1, cred_version = cred_version + 1, updated_at = now()
WHERE id = $1 AND active AND cred_version = $2 RETURNING epoch, roles`

// ChangePassword implements account.Store.
func (s *Store) ChangePassword(ctx context.Context, caller account.Caller, n account.NewSession, hash string) (account.Generation, int64, error) {
	var g account.Generation
	var seq int64
	err := s.transactRevoking(ctx, "change password", func(tx pgx.Tx) error {
		var epoch int64
		var roles []string
		if err := tx.QueryRow(ctx, raiseCredentialSQL, n.UserID, n.CredVersion).Scan(&epoch, &roles); err != nil {
			return instead(err, account.ErrAccountChanged)
		}
		if _, err := tx.Exec(ctx, `UPDATE credentials SET password_hash = $2 WHERE user_id = $1`, n.UserID, hash); err != nil {
			return err
		}
		ended, err := endSessions(ctx, tx, n.UserID, reasonPassword)
		if err != nil {
			return err
		}
		// A call that overlaps the end of its own session must not begin another.
		i := slices.IndexFunc(ended, func(r endedRow) bool { return r.ID == caller.SessionID })
		if i < 0 {
			return account.ErrSessionRevoked
		}
		n.Device, n.Native = ended[i].Device, ended[i].Native
		if g, err = insertSession(ctx, tx, n, epoch, roles); err != nil {
			return err
		}
		seq, err = s.revokeEpochs(ctx, tx, n.UserID, epoch)
		return err
	})
	return g, seq, err
}
