package account

import (
	"context"
	"errors"
)

// Seed creates a user with these roles unless the address is taken; it changes
// nothing about a user who exists. The error is that of Register, without
// ErrEmailTaken and *TooFastError, or ErrRoleInvalid.
func (s *Service) Seed(ctx context.Context, email, pw string, roles []string) error {
	roles, err := normalizeRoles(roles)
	if err != nil {
		return err
	}
	if _, err := s.create(ctx, email, pw, roles); err != nil && !errors.Is(err, ErrEmailTaken) {
		return err
	}
	return nil
}
