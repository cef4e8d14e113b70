package account

import (
	"context"

	"github.com/google/uuid"
)

// adminStore returns ErrUserNotFound for an unknown user.
type adminStore interface {
	// Deactivate makes the user inactive, ends every session, raises the epoch
	// and revokes the older ones, in one transaction.
	Deactivate(ctx context.Context, user uuid.UUID) (User, int64, error)
	// Reactivate makes the user active and revives nothing.
	Reactivate(ctx context.Context, user uuid.UUID) (User, error)
	// SetRoles replaces the roles, raises the epoch and revokes the older ones,
	// in one transaction; the sessions live.
	SetRoles(ctx context.Context, user uuid.UUID, roles []string) (User, int64, error)
}

// Deactivate ends every session of the user and refuses new ones. When it
// returns without error no replica admits a token of the user. Repeating it is
// harmless. The error is ErrUserNotFound, ErrBusy or *PendingError.
func (s *Service) Deactivate(ctx context.Context, user uuid.UUID) (User, Receipt, error) {
	return s.administer(ctx, func(ctx context.Context) (User, int64, error) {
		return s.store.Deactivate(ctx, user)
	})
}

// Reactivate lets the user log in again, or returns ErrUserNotFound.
func (s *Service) Reactivate(ctx context.Context, user uuid.UUID) (User, error) {
	return s.store.Reactivate(ctx, user)
}

// SetRoles replaces the roles. When it returns without error no replica admits
// a token with the old ones. The error is ErrRoleInvalid, ErrUserNotFound,
// ErrBusy or *PendingError.
func (s *Service) SetRoles(ctx context.Context, user uuid.UUID, roles []string) (User, Receipt, error) {
	roles, err := normalizeRoles(roles)
	if err != nil {
		return User{}, Receipt{}, err
	}
	return s.administer(ctx, func(ctx context.Context) (User, int64, error) {
		return s.store.SetRoles(ctx, user, roles)
	})
}

func (s *Service) administer(ctx context.Context, change func(context.Context) (User, int64, error)) (User, Receipt, error) {
	var user User
	receipt, err := s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		user, seq, err = change(ctx)
		return seq, err
	})
	return user, receipt, err
}
