package creds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// reasonExternalTokenInvalid is the reason of [IssuerDomain] for an external token
// that is never going to be accepted.
const reasonExternalTokenInvalid = "EXTERNAL_TOKEN_INVALID"

// ExchangeFunc exchanges a token of another identity provider for a session with
// the issuer: AuthService.ExchangeExternalToken. It returns the error of the RPC.
// An ErrorInfo of [IssuerDomain] with reason EXTERNAL_TOKEN_INVALID means that this
// external token will never be accepted. An issuer that says so in another way:
// return an error that wraps [ErrSignedOut]. Every other error means "not now".
type ExchangeFunc func(ctx context.Context, external token.Raw) (Pair, error)

// ExternalSession returns a [TokenSource] for a program that has tokens of its
// own identity provider. It exchanges one of them for a session and renews that
// as [Session] does. When the issuer ends the session, or the store has none,
// it exchanges the newest token of external. An operator who ends the session
// therefore ends no more than that; to keep the program out, deactivate its
// user.
//
// An external token that was refused is not sent again. Until external gives
// another one, the error is [ErrSignedOut]. Meanwhile external is asked with
// pauses that grow to two seconds. Sessions are opened at least one second
// apart. If the answer of an exchange is lost, its session stays unused until
// the issuer ends it as idle.
//
// Use one ExternalSession for one [Refreshing]. Several may share the store;
// the first of them opens the session for all. ExternalSession panics if an
// argument is nil.
func ExternalSession(store Store, refresh RefreshFunc, external TokenSource, exchange ExchangeFunc) TokenSource {
	required("ExternalSession", store, refresh, external, exchange)
	return &externalSession{
		session:  session{store: store, refresh: refresh},
		external: external, exchange: exchange,
	}
}

type externalSession struct {
	session  session
	external TokenSource
	exchange ExchangeFunc

	opened  time.Time // when an exchange last succeeded
	refused token.Raw // the external token that was refused last
	pause   pause     // after refusals
}

// openEvery keeps sessions apart that are ended as soon as they are opened.
const openEvery = time.Second

// Token implements TokenSource.
func (e *externalSession) Token(ctx context.Context) (Token, error) {
	for range maxRounds {
		t, err := e.session.Token(ctx)
		if !errors.Is(err, ErrSignedOut) {
			return t, err
		}
		pair, err := e.open(ctx)
		if err != nil {
			return Token{}, err
		}
		mine, err := e.session.replace(ctx, Pair{}, pair)
		switch {
		case err != nil:
			return Token{}, err
		case mine:
			return e.session.give(pair, over(pair.Access)), nil
		}
		// Somebody else has opened a session: theirs is used.
	}
	return Token{}, errBusy
}

// open exchanges the newest external token.
func (e *externalSession) open(ctx context.Context) (Pair, error) {
	if e.pause.left(time.Now()) > 0 {
		return Pair{}, e.pause.last
	}
	if err := sleep(ctx, openEvery-time.Since(e.opened)); err != nil {
		return Pair{}, err
	}
	held, err := e.external.Token(ctx)
	if err != nil {
		return Pair{}, fmt.Errorf("external token: %w", err)
	}
	if e.refused != "" && held.Value == e.refused {
		return Pair{}, e.pause.last
	}
	pair, err := e.attempt(ctx, held.Value)
	switch {
	case err != nil && refusedExternal(err):
		e.refuse(held.Value, err)
		return Pair{}, e.pause.last
	case err != nil:
		return Pair{}, fmt.Errorf("exchange: %w", err)
	case pair.Access.Value == "" || pair.Refresh == "":
		return Pair{}, errors.New("exchange: the answer lacks a token")
	}
	e.opened, e.refused, e.pause = time.Now(), "", pause{}
	pair.RetryKey = "" // of a refresh token that was not sent yet
	return pair, nil
}

func (e *externalSession) attempt(ctx context.Context, held token.Raw) (Pair, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return e.exchange(ctx, held)
}

// refuse notes that the issuer has judged an external token.
func (e *externalSession) refuse(value token.Raw, err error) {
	e.refused = value
	e.pause.until = time.Now().Add(waitAfter(e.pause.failures, err))
	e.pause.failures++
	e.pause.last = fmt.Errorf("%w: exchange: %w", ErrSignedOut, err)
}

// refusedExternal tells whether the issuer has judged the external token;
// everything else is "not now".
func refusedExternal(err error) bool {
	if errors.Is(err, ErrSignedOut) {
		return true
	}
	info := status.Info(err)
	return info.GetDomain() == IssuerDomain && info.GetReason() == reasonExternalTokenInvalid
}
