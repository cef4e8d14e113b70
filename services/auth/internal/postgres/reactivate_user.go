package postgres

import (
	"context"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

const reactivateSQL = `
UPDATE users SET active = true, updated_at = now() WHERE id = $1 RETURNING ` + userColumns

// Reactivate implements account.Store.
func (s *Store) Reactivate(ctx context.Context, id uuid.UUID) (account.User, error) {
	row, err := one[userRow](s.pool.Query(ctx, reactivateSQL, id))
	if err != nil {
		return account.User{}, wrap("reactivate user", instead(err, account.ErrUserNotFound))
	}
	return row.user(), nil
}
