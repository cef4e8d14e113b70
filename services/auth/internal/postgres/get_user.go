package postgres

import (
	"context"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// User implements account.Store.
func (s *Store) User(ctx context.Context, id uuid.UUID) (account.User, error) {
	row, err := one[userRow](s.pool.Query(ctx, `SELECT `+userColumns+` FROM users WHERE id = $1`, id))
	if err != nil {
		return account.User{}, wrap("get user", instead(err, account.ErrUserNotFound))
	}
	return row.user(), nil
}
