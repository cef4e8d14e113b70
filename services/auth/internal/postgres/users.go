package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// userColumns are those of userRow.
const userColumns = `id, email, roles, active, created_at, updated_at`

type userRow struct {
	ID        uuid.UUID
	Email     string
	Roles     []string
	Active    bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

func (r userRow) user() account.User { return account.User(r) }

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

// User implements account.Store.
func (s *Store) User(ctx context.Context, id uuid.UUID) (account.User, error) {
	row, err := one[userRow](s.pool.Query(ctx, `SELECT `+userColumns+` FROM users WHERE id = $1`, id))
	if err != nil {
		return account.User{}, wrap("get user", instead(err, account.ErrUserNotFound))
	}
	return row.user(), nil
}
