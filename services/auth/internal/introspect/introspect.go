// Package introspect says whether an access token is good at this moment, from
// the primary database and not from what this replica has heard: the answer
// for callers whose own knowledge is stale.
package introspect

import (
	"context"
	"errors"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Verifier checks everything about a token but whether it is revoked.
type Verifier interface {
	Verify(ctx context.Context, raw string) (*identity.Identity, error)
}

// Store looks at what is committed.
type Store interface {
	Live(ctx context.Context, id *identity.Identity) (bool, error)
}

// Introspector is safe for concurrent use.
type Introspector struct {
	verifier Verifier
	store    Store
}

// New returns an Introspector.
func New(v Verifier, s Store) *Introspector { return &Introspector{verifier: v, store: s} }

// Token returns who the token speaks for, or nil if it is not good for any
// reason (RFC 7662 section 2.2). An error means that nobody can know now.
func (i *Introspector) Token(ctx context.Context, raw string) (*identity.Identity, error) {
	id, err := i.verifier.Verify(ctx, raw)
	if err != nil {
		if cause := ctx.Err(); errors.Is(err, token.ErrKeysUnavailable) || cause != nil && errors.Is(err, cause) {
			return nil, err
		}
		return nil, nil //nolint:nilnil // a token that is not good is an answer
	}
	live, err := i.store.Live(ctx, id)
	if err != nil {
		return nil, err
	}
	if !live {
		return nil, nil //nolint:nilnil // likewise
	}
	return id, nil
}

// Identity says whether a verified identity is revoked by nothing that is
// committed now.
func (i *Introspector) Identity(ctx context.Context, id *identity.Identity) (bool, error) {
	return i.store.Live(ctx, id)
}
