package creds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/util/backoffutils"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Pair is the tokens of a session.
type Pair struct {
	Access  Token
	Refresh token.Raw
}

// Store keeps the pair of one session, for one or more processes or tabs. Read
// it when sending, never remember what it held.
type Store interface {
	// Load returns the current pair; ErrSignedOut if there is none.
	Load(ctx context.Context) (Pair, error)
	// Replace stores next if the store still holds the refresh token sent, and
	// reports whether it did. A zero next removes the session.
	Replace(ctx context.Context, sent token.Raw, next Pair) (bool, error)
}

// RefreshFunc exchanges a refresh token: AuthService.RefreshTokens. Its error
// is the one of the RPC. What ends the session is an ErrorInfo of IssuerDomain
// with one of the four reasons beside it, whatever the code; for an issuer with
// other words the function returns ErrSignedOut. Every other error means "not
// now", UNAUTHENTICATED and PERMISSION_DENIED without that ErrorInfo included:
// it is retried and leaves the session in the store.
type RefreshFunc func(ctx context.Context, refresh token.Raw) (Pair, error)

const (
	// attemptTimeout + retryFor is the window in which the issuer repeats an
	// answer that was lost (30 s): within it, trying again is safe.
	attemptTimeout = 10 * time.Second
	retryFor       = 20 * time.Second
	retryBase      = 100 * time.Millisecond
)

// Session is a TokenSource that refreshes. An answer is stored only if the
// store still holds the token that was sent: else somebody else was faster,
// and their pair is used. An outage is retried for 20 s and clears nothing.
func Session(store Store, refresh RefreshFunc) TokenSource {
	return &session{store: store, refresh: refresh}
}

type session struct {
	store   Store
	refresh RefreshFunc
	given   token.Raw // the access token that was given last
}

// Token implements TokenSource.
func (s *session) Token(ctx context.Context) (Token, error) {
	pair, err := s.store.Load(ctx)
	if err != nil {
		return Token{}, fmt.Errorf("load session: %w", err)
	}
	// Somebody else has refreshed, or this process has just started.
	fresh := pair.Access.ExpiresAt.IsZero() || time.Now().Before(pair.Access.ExpiresAt)
	if pair.Access.Value != "" && pair.Access.Value != s.given && fresh {
		s.given = pair.Access.Value
		return pair.Access, nil
	}
	next, err := s.exchange(ctx, pair.Refresh)
	if err != nil {
		if !ended(err) {
			return Token{}, fmt.Errorf("refresh: %w", err)
		}
		next = Pair{}
	}
	mine, storeErr := s.store.Replace(ctx, pair.Refresh, next)
	switch {
	case storeErr != nil:
		return Token{}, fmt.Errorf("store session: %w", storeErr)
	case !mine:
		// The faster one's pair counts; a refusal of the older token says
		// nothing about it.
		if next, err = s.store.Load(ctx); err != nil {
			return Token{}, fmt.Errorf("load session: %w", err)
		}
	case err != nil:
		return Token{}, fmt.Errorf("%w: %w", ErrSignedOut, err)
	}
	s.given = next.Access.Value
	return next.Access, nil
}

// exchange tries until it is answered, refused, or retryFor is over.
func (s *session) exchange(ctx context.Context, sent token.Raw) (Pair, error) {
	ctx, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	var last error
	for attempt := uint(0); ; attempt++ {
		next, err := s.attempt(ctx, sent)
		if err == nil || ended(err) {
			return next, err
		}
		last = err
		wait := backoffutils.JitterUp(min(retryBase<<min(attempt, 5), 2*time.Second), 0.2)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Pair{}, errors.Join(last, context.Cause(ctx))
		}
	}
}

func (s *session) attempt(ctx context.Context, sent token.Raw) (Pair, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return s.refresh(ctx, sent)
}
