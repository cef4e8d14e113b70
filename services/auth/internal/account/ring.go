package account

import (
	"context"
	"log/slog"

	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// Ring is the keys as this process knows them.
type Ring interface {
	Refresh(ctx context.Context) error
	// Candidate makes a key that nobody knows yet.
	Candidate() (signingkey.Stored, error)
}

// refreshRing makes this process sign with what was decided. It would find out
// by itself, as the other replicas do.
func (s *Service) refreshRing(ctx context.Context) {
	if err := s.ring.Refresh(ctx); err != nil {
		s.log.WarnContext(ctx, "signing keys not refreshed", slog.Any("error", err))
	}
}
