package creds

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Pair is the tokens of one session.
type Pair struct {
	Access  Token
	Refresh token.Raw
	// RetryKey is random text that [Session] stores before it sends Refresh for
	// the first time, and sends each time (`retry_key` of RefreshTokens). With
	// it the issuer repeats an answer that was lost, however late: after a
	// crash, or a night without a network. Empty until Refresh is sent.
	RetryKey token.Raw
}

// holds tells whether p and q are of the same refresh token at the same stage.
func (p Pair) holds(q Pair) bool { return p.Refresh == q.Refresh && p.RetryKey == q.RetryKey }

// Store keeps the pair of one session, for one process or several.
// Implementations must be safe for concurrent use and must not answer from a
// copy: another process may have replaced the pair.
type Store interface {
	// Load returns the current pair, or [ErrSignedOut] if there is none.
	Load(ctx context.Context) (Pair, error)
	// Replace stores next if the store still holds the Refresh and the RetryKey
	// of sent, and reports whether it did. It must be atomic. A zero next
	// removes the session.
	Replace(ctx context.Context, sent, next Pair) (bool, error)
}

// RefreshFunc exchanges a refresh token for a new pair:
// AuthService.RefreshTokens. An issuer that has no retry keys may ignore
// retryKey. It returns the error of the RPC. An ErrorInfo of [IssuerDomain]
// with one of these reasons ends the session, whatever the code:
// REFRESH_UNKNOWN, REFRESH_EXPIRED, REFRESH_REUSED, SESSION_REVOKED. For an
// issuer that says so in another way, return an error that wraps
// [ErrSignedOut].
//
// Every other error means "not now", also UNAUTHENTICATED and PERMISSION_DENIED
// without such an ErrorInfo. The call is repeated, after the delay of its
// RetryInfo if there is one, and the session stays in the store.
type RefreshFunc func(ctx context.Context, refresh, retryKey token.Raw) (Pair, error)

const (
	// An attempt has attemptTimeout, and none begins later than retryFor after
	// the first: together they are the window in which an issuer repeats an
	// answer that was lost (30 s), so trying again is safe.
	attemptTimeout = 10 * time.Second
	retryFor       = 20 * time.Second
	// storeTimeout is for writing down an answer, also one that came when the
	// time of the renewal was over: to lose it may cost the session.
	storeTimeout = 5 * time.Second
	// maxRounds bounds how often somebody else may be faster.
	maxRounds = 4
)

// errBusy: the store changes faster than this client can follow.
var errBusy = errors.New("the store changed each time")

// Session returns a [TokenSource] that renews with a refresh token. A new pair
// is stored only if the store still holds the token that was sent; otherwise
// another process was faster, and its pair is used. During an outage Session
// tries for 20 s and then fails; the session stays in the store.
//
// Use one Session for one [Refreshing]. Several may share the store. Session
// panics if an argument is nil.
func Session(store Store, refresh RefreshFunc) TokenSource {
	required("Session", store, refresh)
	return &session{store: store, refresh: refresh}
}

type session struct {
	store   Store
	refresh RefreshFunc
	given   token.Raw // the access token that was given last
}

// Token implements TokenSource.
func (s *session) Token(ctx context.Context) (Token, error) {
	for range maxRounds {
		pair, err := s.store.Load(ctx)
		if err != nil {
			return Token{}, fmt.Errorf("load session: %w", err)
		}
		// Somebody else has refreshed, or this process has just started.
		if pair.Access.Value != "" && pair.Access.Value != s.given && !over(pair.Access) {
			return s.give(pair, true), nil
		}
		if pair.RetryKey == "" {
			keyed := pair
			keyed.RetryKey = token.Raw(rand.Text())
			mine, err := s.replace(ctx, pair, keyed)
			if err != nil {
				return Token{}, err
			}
			if !mine {
				continue
			}
			pair = keyed
		}
		next, err := s.exchange(ctx, pair)
		if err != nil && !ended(err) {
			return Token{}, fmt.Errorf("refresh: %w", err)
		}
		mine, storeErr := s.replace(ctx, pair, next)
		switch {
		case storeErr != nil:
			return Token{}, storeErr
		case !mine:
			// The faster one's pair counts; a refusal of the older token says
			// nothing about it.
		case err != nil:
			return Token{}, fmt.Errorf("%w: %w", ErrSignedOut, err)
		default:
			// An answer that is repeated late may be over already.
			return s.give(next, over(next.Access)), nil
		}
	}
	return Token{}, errBusy
}

func (s *session) give(p Pair, found bool) Token {
	s.given = p.Access.Value
	p.Access.Found = found
	return p.Access
}

// replace writes, whether or not the renewal still has time.
func (s *session) replace(ctx context.Context, sent, next Pair) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	mine, err := s.store.Replace(ctx, sent, next)
	if err != nil {
		return false, fmt.Errorf("store session: %w", err)
	}
	return mine, nil
}

// exchange tries until it is answered, refused, or retryFor is over.
func (s *session) exchange(ctx context.Context, sent Pair) (Pair, error) {
	end := time.Now().Add(retryFor)
	for failures := uint(0); ; failures++ {
		next, err := s.attempt(ctx, sent)
		switch {
		case err != nil && ended(err):
			return Pair{}, err
		case err == nil && (next.Access.Value == "" || next.Refresh == ""):
			return Pair{}, errors.New("the answer lacks a token")
		case err == nil:
			// A refresh token that was too young to be rotated keeps its key.
			next.RetryKey = ""
			if next.Refresh == sent.Refresh {
				next.RetryKey = sent.RetryKey
			}
			return next, nil
		}
		wait := waitAfter(failures, err)
		if !time.Now().Add(wait).Before(end) {
			return Pair{}, err
		}
		if pauseErr := sleep(ctx, wait); pauseErr != nil {
			return Pair{}, errors.Join(err, pauseErr)
		}
	}
}

func (s *session) attempt(ctx context.Context, sent Pair) (Pair, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return s.refresh(ctx, sent.Refresh, sent.RetryKey)
}

// over tells whether the time of a token has passed, by the clock of the client.
func over(t Token) bool { return !t.ExpiresAt.IsZero() && !time.Now().Before(t.ExpiresAt) }
