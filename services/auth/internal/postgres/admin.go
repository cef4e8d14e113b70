package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

type epochRow struct {
	ID        uuid.UUID
	Email     string
	Roles     []string
	Active    bool
	CreatedAt time.Time
	UpdatedAt time.Time
	Epoch     int64
}

func (r epochRow) user() account.User {
	return account.User{
		ID: r.ID, Email: r.Email, Roles: r.Roles, Active: r.Active,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

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
