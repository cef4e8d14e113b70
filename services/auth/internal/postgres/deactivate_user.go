package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

const deactivateSQL = `
UPDATE users SET active = false, epoch = epoch + 1, updated_at = now()
WHERE id = $1 RETURNING ` + userColumns + `, epoch`

// Deactivate implements account.Store.
func (s *Store) Deactivate(ctx context.Context, id uuid.UUID) (account.User, int64, error) {
	var user account.User
	var seq int64
	err := s.transactRevoking(ctx, "deactivate user", func(tx pgx.Tx) error {
		row, err := one[epochRow](tx.Query(ctx, deactivateSQL, id))
		if err != nil {
			return instead(err, account.ErrUserNotFound)
		}
		user = row.user()
		// The rows end too: Reactivate must revive nothing.
		if _, err := endSessions(ctx, tx, id, reasonDeactivated); err != nil {
			return err
		}
		seq, err = s.revokeEpochs(ctx, tx, id, row.Epoch)
		return err
	})
	return user, seq, err
}
