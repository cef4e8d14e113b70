package account

import (
	"context"

	"github.com/google/uuid"
)

type reactivateUserStore interface {
	// Reactivate makes the user active and revives nothing. ErrUserNotFound for an
	// unknown user.
	Reactivate(ctx context.Context, user uuid.UUID) (User, error)
}

// Reactivate lets the user log in again, or returns ErrUserNotFound.
func (s *Service) Reactivate(ctx context.Context, user uuid.UUID) (User, error) {
	return s.store.Reactivate(ctx, user)
}
