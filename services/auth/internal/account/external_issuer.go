package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Refusals that concern external issuers.
var (
	// ErrExternalRevoked: the issuer of the token was revoked here.
	ErrExternalRevoked = errors.New("external issuer is revoked")
	// ErrExternalIssuerNotFound: nothing is known of the issuer.
	ErrExternalIssuerNotFound = errors.New("no such external issuer")
	// ErrExternalIssuerOwn: it is the issuer of our own tokens.
	ErrExternalIssuerOwn = errors.New("issuer is this service")
)

// ExternalIssuer is an identity provider whose tokens are, or were, exchanged.
type ExternalIssuer struct {
	Issuer     string
	Configured bool      // this process was told of it
	Known      bool      // it was revoked here, or somebody came with its tokens
	RevokedAt  time.Time // zero if it is accepted
	// RefuseUntil is how long verifiers of its own tokens refuse them; zero if
	// they do not.
	RefuseUntil time.Time
	Sessions    int64 // that began with its tokens and live
}

// externalIssuer is one of them; of one that nothing is known of there is the
// name alone.
func (s *Service) externalIssuer(ctx context.Context, issuer string) (ExternalIssuer, error) {
	issuers, err := s.store.ExternalIssuers(ctx, []string{issuer}, true, s.limits.Idle)
	if err != nil {
		return ExternalIssuer{}, err
	}
	if len(issuers) != 1 {
		return ExternalIssuer{}, fmt.Errorf("external issuer: %d rows of one", len(issuers))
	}
	issuers[0].Configured = slices.Contains(s.externalNames, issuer)
	return issuers[0], nil
}

// known says whether anything is known of an issuer.
func (s *Service) known(ctx context.Context, issuer string) error {
	if slices.Contains(s.externalNames, issuer) {
		return nil
	}
	i, err := s.externalIssuer(ctx, issuer)
	if err == nil && !i.Known {
		return ErrExternalIssuerNotFound
	}
	return err
}
