package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

const createUserSQL = `
WITH u AS (
  INSERT INTO users (id, email, roles) VALUES (@id, @email, @roles)
  RETURNING ` + userColumns + `
), c AS (
  INSERT INTO credentials (user_id, password_hash) SELECT id, @hash FROM u
)
SELECT ` + userColumns + ` FROM u`

// CreateUser implements account.Store.
func (s *Store) CreateUser(ctx context.Context, n account.NewUser) (account.User, error) {
	row, err := one[userRow](s.pool.Query(ctx, createUserSQL, pgx.NamedArgs{
		"id": n.ID, "email": n.Email, "roles": n.Roles, "hash": n.PasswordHash,
	}))
	if uniqueViolation(err) {
		return account.User{}, account.ErrEmailTaken
	}
	if err != nil {
		return account.User{}, wrap("create user", err)
	}
	return row.user(), nil
}
