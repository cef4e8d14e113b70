package account

import (
	"context"

	"github.com/google/uuid"
)

type listExternalIdentitiesStore interface {
	// ExternalIdentities lists the links of a user, oldest first, or returns
	// ErrUserNotFound.
	ExternalIdentities(ctx context.Context, user uuid.UUID) ([]ExternalIdentity, error)
}

// ExternalIdentities lists who a user is at external issuers, oldest link first.
// The error is ErrUserNotFound.
func (s *Service) ExternalIdentities(ctx context.Context, user uuid.UUID) ([]ExternalIdentity, error) {
	return s.store.ExternalIdentities(ctx, user)
}
