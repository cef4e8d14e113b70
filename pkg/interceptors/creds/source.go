package creds

import (
	"context"
	"errors"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// ErrSignedOut says that the issuer refuses to renew: the session is over, and
// the user or the operator of the service has to act. An outage never causes
// it. For errors of calls use [SignedOut].
var ErrSignedOut = errors.New("creds: the issuer refuses to renew the session")

// Token is an access token and the time at which it expires.
type Token struct {
	// Value is sent as `authorization: Bearer`.
	Value token.Raw
	// ExpiresAt is `exp`. Zero if it is unknown; the token is then used until a
	// server refuses it.
	ExpiresAt time.Time
	// Found is true if the source did not ask the issuer: the token was in a
	// file or a store, and may be as dead as the one before. If a server
	// refuses it as well, the call asks for another one.
	Found bool

	renewal int // the number of the one that brought it
}

// TokenSource gives access tokens. [Refreshing] never calls it concurrently.
// When it is called, the last token is no longer good, so it should give
// another one.
type TokenSource interface {
	// Token returns a token. It may block until ctx ends. An error that wraps
	// [ErrSignedOut] says that the session is over; every other error means
	// "not now".
	Token(ctx context.Context) (Token, error)
}

// SourceFunc makes a [TokenSource] from a function.
type SourceFunc func(ctx context.Context) (Token, error)

// Token implements TokenSource.
func (f SourceFunc) Token(ctx context.Context) (Token, error) { return f(ctx) }

// Static returns a [TokenSource] that always gives the token value.
func Static(value token.Raw) TokenSource {
	return SourceFunc(func(context.Context) (Token, error) { return Token{Value: value}, nil })
}
