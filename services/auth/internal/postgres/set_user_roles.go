package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

const setRolesSQL = `
UPDATE users SET roles = $2, epoch = epoch + 1, updated_at = now()
WHERE id = $1 RETURNING ` + userColumns + `, epoch`

// SetRoles implements account.Store.
func (s *Store) SetRoles(ctx context.Context, id uuid.UUID, roles []string) (account.User, int64, error) {
	var user account.User
	var seq int64
	err := s.transactRevoking(ctx, "set roles", func(tx pgx.Tx) error {
		row, err := one[epochRow](tx.Query(ctx, setRolesSQL, id, roles))
		if err != nil {
			return instead(err, account.ErrUserNotFound)
		}
		user = row.user()
		seq, err = s.revokeEpochs(ctx, tx, id, row.Epoch)
		return err
	})
	return user, seq, err
}
