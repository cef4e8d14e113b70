package account

import (
	"context"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// keyStore returns signingkey.ErrNotFound for an unknown key and
// signingkey.ErrNotReady if the next key has not been known everywhere for
// announce; then nothing has changed.
type keyStore interface {
	// SigningKeys lists the keys, newest first.
	SigningKeys(ctx context.Context) ([]signingkey.Key, error)
	// Rotate makes the standby primary, unless another key than expected, which
	// may be empty, is primary already. It returns who is primary.
	Rotate(ctx context.Context, expected string, announce time.Duration) (primary signingkey.Key, err error)
	// RevokeKey ends a key, with the standby in its place if it was primary, and
	// revokes its tokens, in one transaction. With a candidate the standby signs
	// even if it is not known everywhere, and the candidate if there is none.
	RevokeKey(ctx context.Context, kid string, announce time.Duration, candidate *signingkey.Stored) (revoked, primary signingkey.Key, seq int64, err error)
}

// Ring is the keys as this process knows them.
type Ring interface {
	Refresh(ctx context.Context) error
	// Candidate makes a key that nobody knows yet.
	Candidate() (signingkey.Stored, error)
}

// SigningKeys lists the keys, newest first: those whose tokens are over stay for
// some days.
func (s *Service) SigningKeys(ctx context.Context) ([]signingkey.Key, error) {
	return s.store.SigningKeys(ctx)
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

// refreshRing makes this process sign with what was decided. It would find out
// by itself, as the other replicas do.
func (s *Service) refreshRing(ctx context.Context) {
	if err := s.ring.Refresh(ctx); err != nil {
		s.log.WarnContext(ctx, "signing keys not refreshed", slog.Any("error", err))
	}
}
