package account

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/password"
	"github.com/curfew-platform/curfew/services/auth/internal/refresh"
)

// Store is what the use cases need of the database.
type Store interface {
	registerStore
	loginStore
	exchangeExternalStore
	refreshStore
	changePasswordStore
	logoutStore
	getUserStore
	listSessionsStore
	revokeSessionStore
	revokeOtherSessionsStore
	revokeUserSessionsStore
	deactivateUserStore
	reactivateUserStore
	setUserRolesStore
	listSigningKeysStore
	rotateSigningKeyStore
	revokeSigningKeyStore
	listExternalIssuersStore
	revokeExternalIssuerStore
	acceptExternalIssuerStore
	listExternalIdentitiesStore
	linkExternalIdentityStore
	unlinkExternalIdentityStore
}

// Hasher hashes and checks passwords with bounded concurrency.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	// HashNew is Hash for an account that does not exist yet: anybody can ask
	// for it, so it leaves the larger part of what there is to the others.
	HashNew(ctx context.Context, password string) (string, error)
	Verify(ctx context.Context, stored, password string) (password.Match, error)
}

// Limiter slows down who guesses.
type Limiter interface {
	Wait(account, address string) time.Duration
	Failed(account, address string)
	Succeeded(account, address string)
}

// Pace bounds how often one network address, or one subject, does something.
type Pace interface {
	// Take returns 0 if who may go on, or how long that one has to wait.
	Take(who string) time.Duration
}

// Limits of sessions.
type Limits struct {
	// Window in which a presented refresh token gives the same pair again.
	// Clients time out after 10 s and retry until 20 s: at least 30 s in production.
	Window time.Duration
	// Idle ends a session that was not refreshed for so long.
	Idle time.Duration
	// Absolute ends a session however busy it is.
	Absolute time.Duration
	// Sessions per user; the login above it ends the least recently used one.
	Sessions int
}

// Validate says what is wrong with the limits.
func (l Limits) Validate() error {
	switch {
	case l.Window <= 0:
		return fmt.Errorf("refresh window %v is not positive", l.Window)
	case l.Idle <= 2*l.Window:
		return fmt.Errorf("idle limit %v is not above two refresh windows", l.Idle)
	case l.Absolute < l.Idle:
		return fmt.Errorf("absolute limit %v is below the idle limit %v", l.Absolute, l.Idle)
	case l.Sessions < 1 || l.Sessions > 1000:
		return fmt.Errorf("%d sessions per user are not between 1 and 1000", l.Sessions)
	}
	return nil
}

// Parts are what a Service is made of. All are required, but Externals and those
// who count.
type Parts struct {
	Store   Store
	Hasher  Hasher
	Minter  *Minter
	Refresh *refresh.Codec
	Limiter Limiter
	Pace    Pace // of new users
	Barrier Barrier
	Limits  Limits
	Ring    Ring
	// Announce is how long a signing key is known everywhere before it signs.
	Announce time.Duration
	// Externals is nil if no external issuer is believed; ExternalNames are those
	// that are.
	Externals     Externals
	ExternalNames []string
	ExchangePace  Pace // of sessions of one subject

	Log *slog.Logger
	// Refreshes is told the verdict on each authentic refresh token, to count them.
	Refreshes func(ctx context.Context, v Verdict)
	// Exchanges is told the verdict on each external token, to count them; the
	// issuer is empty unless it vouches for the token.
	Exchanges func(ctx context.Context, issuer string, v Exchanged)
}

// Service is the use cases. It is safe for concurrent use.
type Service struct {
	store   Store
	hasher  Hasher
	minter  *Minter
	refresh *refresh.Codec
	limiter Limiter
	pace    Pace
	barrier Barrier
	limits  Limits
	ring    Ring

	announce time.Duration // of signing keys

	externals     Externals // nil if there are none
	externalNames []string
	exchangePace  Pace

	log       *slog.Logger
	counted   func(ctx context.Context, v Verdict)
	exchanged func(ctx context.Context, issuer string, v Exchanged)
}

// New returns the use cases. The error says which limit is wrong.
func New(p Parts) (*Service, error) {
	if err := p.Limits.Validate(); err != nil {
		return nil, err
	}
	if p.Refreshes == nil {
		p.Refreshes = func(context.Context, Verdict) {}
	}
	if p.Exchanges == nil {
		p.Exchanges = func(context.Context, string, Exchanged) {}
	}
	return &Service{
		store: p.Store, hasher: p.Hasher, minter: p.Minter, refresh: p.Refresh,
		limiter: p.Limiter, pace: p.Pace, barrier: p.Barrier, limits: p.Limits, ring: p.Ring, announce: p.Announce,
		externals: p.Externals, externalNames: p.ExternalNames, exchangePace: p.ExchangePace,
		log: p.Log, counted: p.Refreshes, exchanged: p.Exchanges,
	}, nil
}

// attempts bounds how often a use case starts again because the account
// changed while the password was checked.
const attempts = 3

// TooManyAttemptsError says how long to wait.
type TooManyAttemptsError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *TooManyAttemptsError) Error() string {
	return "too many wrong passwords; wait " + e.RetryAfter.String()
}
