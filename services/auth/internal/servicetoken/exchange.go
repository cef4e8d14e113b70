package servicetoken

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/cluster"
	"github.com/curfew-platform/curfew/services/auth/internal/issuer"
)

// acr is the authentication context class of a service: it proved a key.
const acr = "service"

// epoch of every service token. Service tokens are revoked by session.
const epoch = 1

// Store remembers which assertions were used until expires, for all replicas.
type Store interface {
	UseAssertion(ctx context.Context, service, id string, expires time.Time) (first bool, err error)
}

// Platform is who runs the services and gives each a token that says which it
// is: a Kubernetes cluster.
type Platform interface {
	// Issuer is `iss` of its tokens.
	Issuer() string
	// Service returns the bare name of the service that the bearer is. The
	// error wraps cluster.ErrUnavailable if that cannot be known now.
	Service(ctx context.Context, raw string) (name string, err error)
}

// Exchange turns assertions into tokens. It is safe for concurrent use.
type Exchange struct {
	verifier *Verifier
	platform Platform // nil if there is none
	store    Store
	issuer   *issuer.Issuer
	now      func() time.Time
}

// NewExchange returns an Exchange. Without a platform only assertions that are
// signed with a registered key are accepted.
func NewExchange(v *Verifier, p Platform, s Store, i *issuer.Issuer, now func() time.Time) *Exchange {
	return &Exchange{verifier: v, platform: p, store: s, issuer: i, now: now}
}

// Issue returns a token for the service that made the assertion, in a session
// of its own, and its expiry. The error wraps ErrAssertionInvalid if the
// assertion is to blame, and ErrKeysUnavailable if nothing is known about it.
func (e *Exchange) Issue(ctx context.Context, assertion string) (token string, expires time.Time, err error) {
	service, err := e.prove(ctx, assertion)
	if err != nil {
		return "", time.Time{}, err
	}
	session, err := uuid.NewV7()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("session id: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("token id: %w", err)
	}
	now := e.now()
	return e.issuer.Issue(ctx, issuer.Subject{
		ID:        principalPrefix + service,
		SessionID: session.String(),
		TokenID:   id.String(),
		Epoch:     epoch,
		Roles:     []string{Role},
		ACR:       acr,
		AuthTime:  now,
		IssuedAt:  now,
	})
}

// prove returns the bare name of the service that the assertion is of. What `iss`
// says without proof decides only who is asked for the proof.
func (e *Exchange) prove(ctx context.Context, assertion string) (service string, err error) {
	if e.platform != nil && claimedIssuer(assertion) == e.platform.Issuer() {
		return e.ofPlatform(ctx, assertion)
	}
	a, err := e.verifier.Verify(assertion)
	if err != nil {
		return "", err
	}
	// Kept for longer than the assertion is accepted, whoever's clock is ahead.
	first, err := e.store.UseAssertion(ctx, a.Service, a.ID, a.ExpiresAt.Add(2*leeway))
	if err != nil {
		return "", err
	}
	if !first {
		return "", fmt.Errorf("%w: used before", ErrAssertionInvalid)
	}
	return a.Service, nil
}

func (e *Exchange) ofPlatform(ctx context.Context, raw string) (service string, err error) {
	service, err = e.platform.Service(ctx, raw)
	switch {
	case errors.Is(err, cluster.ErrUnavailable):
		return "", fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrAssertionInvalid, err)
	}
	return service, nil
}

func claimedIssuer(assertion string) string {
	claims := jwt.RegisteredClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(assertion, &claims); err != nil {
		return ""
	}
	return claims.Issuer
}
