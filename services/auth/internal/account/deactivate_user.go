package account

import (
	"context"

	"github.com/google/uuid"
)

type deactivateUserStore interface {
	// Deactivate makes the user inactive, ends every session, raises the epoch
	// and revokes the older ones, in one transaction. ErrUserNotFound for an
	// unknown user.
	Deactivate(ctx context.Context, user uuid.UUID) (User, int64, error)
}

// Deactivate ends every session of the user and refuses new ones. When it
// returns without error no replica admits a token of the user. Repeating it is
// harmless. The error is ErrUserNotFound, ErrBusy or *PendingError.
func (s *Service) Deactivate(ctx context.Context, id uuid.UUID) (user User, r Receipt, err error) {
	r, err = s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		user, seq, err = s.store.Deactivate(ctx, id)
		return seq, err
	})
	return user, r, err
}
