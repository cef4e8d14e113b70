package account

import (
	"context"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

type revokeSigningKeyStore interface {
	// RevokeKey ends a key, with the standby in its place if it was primary, and
	// revokes its tokens, in one transaction. It returns signingkey.ErrNotFound for
	// an unknown key, and signingkey.ErrNotReady if the standby has not been known
	// everywhere for announce; then nothing has changed. With a candidate the
	// standby signs all the same, and the candidate if there is no standby.
	RevokeKey(ctx context.Context, kid string, announce time.Duration, candidate *signingkey.Stored) (revoked, primary signingkey.Key, seq int64, err error)
}

// RevokeSigningKey ends a key. When it returns without error no replica admits
// a token that was signed with it; sessions live, and the next refresh gives a
// token of the primary key. Repeating it is harmless. The error is
// signingkey.ErrNotFound, signingkey.ErrNotReady, ErrBusy or *PendingError.
//
// In an emergency it is never ErrNotReady: the next key signs at once. Replicas
// of this service read it when they hear that the old one is revoked, or see its
// first token; other verifiers refuse its tokens until they have fetched it.
func (s *Service) RevokeSigningKey(ctx context.Context, kid string, emergency bool) (revoked, primary signingkey.Key, r Receipt, err error) {
	var candidate *signingkey.Stored
	if emergency {
		key, err := s.ring.Candidate()
		if err != nil {
			return revoked, primary, r, err
		}
		candidate = &key
	}
	r, err = s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		revoked, primary, seq, err = s.store.RevokeKey(ctx, kid, s.announce, candidate)
		if err == nil {
			s.log.WarnContext(ctx, "signing key revoked", slog.String("kid", kid), slog.String("primary", primary.ID), slog.Bool("emergency", emergency))
			s.refreshRing(ctx)
		}
		return seq, err
	})
	return revoked, primary, r, err
}
