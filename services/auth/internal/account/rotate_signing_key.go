package account

import (
	"context"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

type rotateSigningKeyStore interface {
	// Rotate makes the standby primary, unless another key than expected, which
	// may be empty, is primary already. It returns who is primary, or
	// signingkey.ErrNotReady if the standby has not been known everywhere for
	// announce; then nothing has changed.
	Rotate(ctx context.Context, expected string, announce time.Duration) (primary signingkey.Key, err error)
}

// RotateSigningKey lets the next key sign. Tokens of the old one are good until
// they expire. If expected is not empty, and another key is primary, nothing
// happens. The error is signingkey.ErrNotReady.
func (s *Service) RotateSigningKey(ctx context.Context, expected string) (primary signingkey.Key, err error) {
	primary, err = s.store.Rotate(ctx, expected, s.announce)
	if err != nil {
		return signingkey.Key{}, err
	}
	s.refreshRing(ctx)
	return primary, nil
}
