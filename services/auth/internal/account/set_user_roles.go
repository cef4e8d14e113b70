package account

import (
	"context"

	"github.com/google/uuid"
)

type setUserRolesStore interface {
	// SetRoles replaces the roles, raises the epoch and revokes the older ones,
	// in one transaction; the sessions live. ErrUserNotFound for an unknown user.
	SetRoles(ctx context.Context, user uuid.UUID, roles []string) (User, int64, error)
}

// SetRoles replaces the roles. When it returns without error no replica admits
// a token with the old ones. The error is ErrRoleInvalid, ErrUserNotFound,
// ErrBusy or *PendingError.
func (s *Service) SetRoles(ctx context.Context, id uuid.UUID, roles []string) (user User, r Receipt, err error) {
	roles, err = normalizeRoles(roles)
	if err != nil {
		return User{}, Receipt{}, err
	}
	r, err = s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		user, seq, err = s.store.SetRoles(ctx, id, roles)
		return seq, err
	})
	return user, r, err
}
