package account

import (
	"context"

	"github.com/google/uuid"
)

// maxIdentities of one user.
const maxIdentities = 16

type linkExternalIdentityStore interface {
	// LinkExternalIdentity returns ErrUserNotFound, ErrExternalIdentityTaken, or
	// ErrExternalIdentitiesTooMany if the user would have more than limit.
	LinkExternalIdentity(ctx context.Context, user uuid.UUID, issuer, subject string, limit int) error
}

// LinkExternalIdentity lets a subject of an issuer begin sessions of a user.
// Repeating it is harmless. The error is ErrExternalIssuerNotFound if nothing is
// known of the issuer, ErrUserNotFound, ErrExternalIdentityTaken or
// ErrExternalIdentitiesTooMany.
func (s *Service) LinkExternalIdentity(ctx context.Context, user uuid.UUID, issuer, subject string) error {
	if err := s.known(ctx, issuer); err != nil {
		return err
	}
	return s.store.LinkExternalIdentity(ctx, user, issuer, subject, maxIdentities)
}
