package account

import (
	"context"

	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

type listSigningKeysStore interface {
	// SigningKeys lists the keys, newest first.
	SigningKeys(ctx context.Context) ([]signingkey.Key, error)
}

// SigningKeys lists the keys, newest first: those whose tokens are over stay for
// some days.
func (s *Service) SigningKeys(ctx context.Context) ([]signingkey.Key, error) {
	return s.store.SigningKeys(ctx)
}
