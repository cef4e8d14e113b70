package servicetoken

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

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

// Exchange turns assertions into tokens. It is safe for concurrent use.
type Exchange struct {
	verifier *Verifier
	store    Store
	issuer   *issuer.Issuer
	now      func() time.Time
}

// NewExchange returns an Exchange.
func NewExchange(v *Verifier, s Store, i *issuer.Issuer, now func() time.Time) *Exchange {
	return &Exchange{verifier: v, store: s, issuer: i, now: now}
}

// Issue returns a token for the service that signed the assertion, in a session
// of its own, and its expiry. The error wraps ErrAssertionInvalid if the
// assertion is to blame.
func (e *Exchange) Issue(ctx context.Context, assertion string) (token string, expires time.Time, err error) {
	a, err := e.verifier.Verify(assertion)
	if err != nil {
		return "", time.Time{}, err
	}
	// Kept for longer than the assertion is accepted, whoever's clock is ahead.
	first, err := e.store.UseAssertion(ctx, a.Service, a.ID, a.ExpiresAt.Add(2*leeway))
	if err != nil {
		return "", time.Time{}, err
	}
	if !first {
		return "", time.Time{}, fmt.Errorf("%w: used before", ErrAssertionInvalid)
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
	return e.issuer.Issue(issuer.Subject{
		ID:        principalPrefix + a.Service,
		SessionID: session.String(),
		TokenID:   id.String(),
		Epoch:     epoch,
		Roles:     []string{Role},
		ACR:       acr,
		AuthTime:  now,
		IssuedAt:  now,
	})
}
