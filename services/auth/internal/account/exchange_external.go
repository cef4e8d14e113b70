package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/external"
)

// Refusals that concern tokens of external issuers. Those of external.Issuers
// are passed on.
var (
	// ErrExternalNone: no external issuer is configured.
	ErrExternalNone = errors.New("no external issuer is configured")
	// ErrExternalUnknown: the token is good, nobody is its subject, and its
	// issuer makes no users.
	ErrExternalUnknown = errors.New("nobody is the subject of the external token")
)

// Externals verifies tokens of external issuers.
type Externals interface {
	// Verify returns what a token says, external.ErrRefused, or
	// external.ErrUnavailable if the keys of its issuer cannot be had now.
	Verify(ctx context.Context, raw string) (external.Claim, error)
}

// Origin is from where a session comes that does not begin with a password.
type Origin struct {
	Issuer    string
	SessionID string    // the issuer's own; empty if it does not say
	AuthTime  time.Time // zero if it does not say: older than every age that a method allows
}

// NewExternalSession is a session to be opened for a token that was verified.
// CredVersion and Epoch of its NewSession count for nothing: roles and epoch are
// those of the user's row.
type NewExternalSession struct {
	NewSession

	// Subject is whose token it is at Origin.Issuer.
	Subject string
	// Provision: UserID is nobody yet, and is made with the link.
	Provision bool
}

type exchangeExternalStore interface {
	// ExternalUser returns who the subject of an issuer is, or ErrExternalUnknown.
	ExternalUser(ctx context.Context, issuer, subject string) (uuid.UUID, error)
	// OpenExternalSession locks the user and looks at the link and at the user
	// under this lock, evicts, inserts, and revokes what it evicted, in one
	// transaction, in which the issuer is not revoked; a user who is to be made is
	// made in it with the role customer. It returns ErrExternalRevoked,
	// ErrUserDeactivated, or ErrAccountChanged if the link is not, or is no
	// longer, what was read.
	OpenExternalSession(ctx context.Context, n NewExternalSession) (Generation, User, error)
}

// Exchange is a request to begin a session with a token of an external issuer.
type Exchange struct {
	Token   string
	Device  string
	Native  bool
	Address string // network address of the client, for the limit on new users
}

// TooManyExchangesError says how long a subject has to wait for its next session.
type TooManyExchangesError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *TooManyExchangesError) Error() string {
	return "too many exchanges for one subject; wait " + e.RetryAfter.String()
}

// Exchanged is what became of a token of an external issuer.
type Exchanged string

// The verdicts.
const (
	// ExchangedOpened: a session of a user who was known.
	ExchangedOpened Exchanged = "opened"
	// ExchangedProvisioned: a session of a user who was made for it.
	ExchangedProvisioned Exchanged = "provisioned"
	// ExchangedRefused: not a good token of an issuer that is believed.
	ExchangedRefused Exchanged = "refused"
	// ExchangedUnknown: nobody is the subject.
	ExchangedUnknown Exchanged = "unknown"
	// ExchangedDeactivated: the user is deactivated.
	ExchangedDeactivated Exchanged = "deactivated"
	// ExchangedRevoked: the issuer was revoked here.
	ExchangedRevoked Exchanged = "revoked"
	// ExchangedFailed: it could not be found out, or had to wait.
	ExchangedFailed Exchanged = "failed"
)

// ExchangedVerdicts lists all verdicts.
func ExchangedVerdicts() []Exchanged {
	return []Exchanged{ExchangedOpened, ExchangedProvisioned, ExchangedRefused, ExchangedUnknown, ExchangedDeactivated, ExchangedRevoked, ExchangedFailed}
}

// ExchangeExternal begins a session with a token of an external issuer: the
// issuer and the subject of the token are one user here, and nothing else of it
// says who that is. It does not wait for the evictions that it may have
// committed. The error is ErrExternalNone, external.ErrRefused,
// external.ErrUnavailable, ErrExternalRevoked, ErrExternalUnknown,
// ErrUserDeactivated, ErrAccountChanged, *TooFastError, *TooManyExchangesError
// or ErrBusy.
func (s *Service) ExchangeExternal(ctx context.Context, in Exchange) (LoggedIn, error) {
	if s.externals == nil {
		return LoggedIn{}, ErrExternalNone
	}
	claim, err := s.externals.Verify(ctx, in.Token)
	if err != nil {
		s.noteExchange(ctx, "", LoggedIn{}, false, err)
		return LoggedIn{}, err
	}
	var out LoggedIn
	var provisioned bool
	// Before anything is looked up. Neither name has a space in it.
	if wait := s.exchangePace.Take(claim.Issuer + " " + claim.Subject); wait > 0 {
		err = &TooManyExchangesError{RetryAfter: wait}
		s.noteExchange(ctx, claim.Issuer, out, provisioned, err)
		return out, err
	}
	for range attempts {
		out, provisioned, err = s.exchange(ctx, claim, in)
		if !errors.Is(err, ErrAccountChanged) {
			break
		}
	}
	s.noteExchange(ctx, claim.Issuer, out, provisioned, err)
	return out, err
}

func (s *Service) exchange(ctx context.Context, claim external.Claim, in Exchange) (out LoggedIn, provisioned bool, err error) {
	user, err := s.store.ExternalUser(ctx, claim.Issuer, claim.Subject)
	provision := errors.Is(err, ErrExternalUnknown) && claim.Provision
	if provision {
		if wait := s.pace.Take(in.Address); wait > 0 {
			return LoggedIn{}, false, &TooFastError{RetryAfter: wait}
		}
		user, err = uuid.NewV7()
	}
	if err != nil {
		return LoggedIn{}, false, err
	}
	n, err := s.newSession(Credential{User: User{ID: user}})
	if err != nil {
		return LoggedIn{}, false, err
	}
	n.Device, n.Native = in.Device, in.Native
	n.Origin = &Origin{Issuer: claim.Issuer, SessionID: claim.SessionID, AuthTime: claim.AuthTime}
	g, opened, err := s.store.OpenExternalSession(ctx, NewExternalSession{NewSession: n, Subject: claim.Subject, Provision: provision})
	if err != nil {
		return LoggedIn{}, false, err
	}
	tokens, err := s.minter.Mint(ctx, g)
	if err != nil {
		return LoggedIn{}, false, fmt.Errorf("exchange: %w", err)
	}
	return LoggedIn{Tokens: tokens, User: opened, SessionID: g.SessionID}, provision, nil
}

// noteExchange counts a verdict, and writes what an investigator wants to know,
// which session came from which issuer, and what an operator does, why a token
// was not exchanged. The issuer of a token that was refused is what anybody
// wrote into it, so that it is not even counted.
func (s *Service) noteExchange(ctx context.Context, issuer string, out LoggedIn, provisioned bool, err error) {
	verdict := exchangeVerdict(ctx, provisioned, err)
	log := s.log.With(slog.String("verdict", string(verdict)), slog.String("issuer", issuer))
	if err == nil {
		log.InfoContext(ctx, "external token exchanged", slog.Any("user", out.User.ID), slog.Any("session", out.SessionID))
	} else {
		log.InfoContext(ctx, "external token not exchanged", slog.Any("error", err))
	}
	s.exchanged(ctx, issuer, verdict)
}

func exchangeVerdict(ctx context.Context, provisioned bool, err error) Exchanged {
	switch {
	case err == nil && provisioned:
		return ExchangedProvisioned
	case err == nil:
		return ExchangedOpened
	case ctx.Err() != nil: // then err says nothing about the token
		return ExchangedFailed
	case errors.Is(err, external.ErrRefused):
		return ExchangedRefused
	case errors.Is(err, ErrExternalUnknown):
		return ExchangedUnknown
	case errors.Is(err, ErrUserDeactivated):
		return ExchangedDeactivated
	case errors.Is(err, ErrExternalRevoked):
		return ExchangedRevoked
	default:
		return ExchangedFailed
	}
}
