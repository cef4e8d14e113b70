package account

import (
	"context"

	"github.com/google/uuid"
)

type getUserStore interface {
	// User returns ErrUserNotFound for an unknown id.
	User(ctx context.Context, id uuid.UUID) (User, error)
}

// GetUser returns a user, or ErrUserNotFound.
func (s *Service) GetUser(ctx context.Context, id uuid.UUID) (User, error) {
	return s.store.User(ctx, id)
}
