package account

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Refusals that concern links to external issuers.
var (
	ErrExternalIdentityTaken     = errors.New("external identity is another user")
	ErrExternalIdentitiesTooMany = errors.New("user has as many external identities as may be")
)

// maxIdentities of one user.
const maxIdentities = 16

// ExternalIdentity is who somebody is at an external issuer.
type ExternalIdentity struct {
	Issuer    string
	Subject   string
	CreatedAt time.Time
}

// externalIdentitiesStore returns ErrUserNotFound for an unknown user.
type externalIdentitiesStore interface {
	ExternalIdentities(ctx context.Context, user uuid.UUID) ([]ExternalIdentity, error)
	// LinkExternalIdentity returns ErrExternalIdentityTaken, or
	// ErrExternalIdentitiesTooMany if the user would have more than limit.
	LinkExternalIdentity(ctx context.Context, user uuid.UUID, issuer, subject string, limit int) error
	// UnlinkExternalIdentity takes the link away, ends the sessions of the user
	// that came from the issuer, and revokes their tokens, in one transaction. If
	// there is no link nothing ends, and the position is the head of the feed:
	// what an earlier call has revoked is not after it.
	UnlinkExternalIdentity(ctx context.Context, user uuid.UUID, issuer, subject string) (Unlinked, int64, error)
}

// Unlinked is what became of a link.
type Unlinked struct {
	Found bool
	Ended int // sessions
}

// ExternalIdentities lists who a user is at external issuers, oldest link first.
// The error is ErrUserNotFound.
func (s *Service) ExternalIdentities(ctx context.Context, user uuid.UUID) ([]ExternalIdentity, error) {
	return s.store.ExternalIdentities(ctx, user)
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

// UnlinkExternalIdentity takes a link back. When it returns without error the
// subject begins no sessions of the user, and no replica admits a token of those
// that came from the issuer. Repeating it is harmless. The error is
// ErrUserNotFound, ErrBusy or *PendingError.
func (s *Service) UnlinkExternalIdentity(ctx context.Context, user uuid.UUID, issuer, subject string) (u Unlinked, r Receipt, err error) {
	r, err = s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		u, seq, err = s.store.UnlinkExternalIdentity(ctx, user, issuer, subject)
		return seq, err
	})
	return u, r, err
}
