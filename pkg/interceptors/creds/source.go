package creds

import (
	"context"
	"errors"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// ErrSignedOut says that the issuer refused to renew: the session is over and
// the user, or the operator of the service, has to act. Outages never give it.
var ErrSignedOut = errors.New("creds: the issuer refuses to renew the session")

// Token is an access token and when it ends.
type Token struct {
	// Value is sent as `authorization: Bearer`.
	Value token.Raw
	// ExpiresAt is `exp`; zero if unknown, then it is used until refused.
	ExpiresAt time.Time
	// Found says that the token was lying somewhere, in a file or a store, and
	// nobody was asked for it: it may be as dead as the one before. If it is
	// refused too, a call asks for another one.
	Found bool

	renewal int // the number of the one that brought it
}

// TokenSource gives a token that differs from the last one if that is no
// longer good. Calls are never concurrent: Refreshing makes one at a time.
type TokenSource interface {
	// Token returns a token. It may block; ctx bounds it. An error that wraps
	// ErrSignedOut is final until the source's store changes, every other one
	// means "not now".
	Token(ctx context.Context) (Token, error)
}

// SourceFunc is a function as a TokenSource.
type SourceFunc func(ctx context.Context) (Token, error)

// Token implements TokenSource.
func (f SourceFunc) Token(ctx context.Context) (Token, error) { return f(ctx) }

// Static is a TokenSource that always gives the same token.
func Static(value token.Raw) TokenSource {
	return SourceFunc(func(context.Context) (Token, error) { return Token{Value: value}, nil })
}
