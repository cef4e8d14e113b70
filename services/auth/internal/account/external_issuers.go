package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Refusals that concern external issuers.
var (
	// ErrExternalRevoked: the issuer of the token was revoked here.
	ErrExternalRevoked = errors.New("external issuer is revoked")
	// ErrExternalIssuerNotFound: nothing is known of the issuer.
	ErrExternalIssuerNotFound = errors.New("no such external issuer")
	// ErrExternalIssuerOwn: it is the issuer of our own tokens.
	ErrExternalIssuerOwn = errors.New("issuer is this service")
)

// UnfinishedError: the issuer is revoked, and some of its sessions are not ended
// yet. The same again goes on.
type UnfinishedError struct {
	Ended int64 // sessions that the call has ended
}

// Error says so.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("not all sessions of the external issuer are ended yet, %d are", e.Ended)
}

// ExternalIssuer is an identity provider whose tokens are, or were, exchanged.
type ExternalIssuer struct {
	Issuer     string
	Configured bool      // this process was told of it
	Known      bool      // it was revoked here, or somebody came with its tokens
	RevokedAt  time.Time // zero if it is accepted
	// RefuseUntil is how long verifiers of its own tokens refuse them; zero if
	// they do not.
	RefuseUntil time.Time
	Sessions    int64 // that began with its tokens and live
}

// externalIssuersStore takes the lock of an issuer before any other.
type externalIssuersStore interface {
	// ExternalIssuers lists the issuers that rows say something of, and those
	// named; only those named if there are any and alone is set.
	ExternalIssuers(ctx context.Context, named []string, alone bool, idle time.Duration) ([]ExternalIssuer, error)
	// RefuseExternalIssuer waits for exchanges that are under way, refuses those
	// to come, and revokes the issuer's own tokens, in one transaction; what is
	// so already stays as it is.
	RefuseExternalIssuer(ctx context.Context, issuer string) (seq int64, err error)
	// AcceptExternalIssuer admits exchanges to come.
	AcceptExternalIssuer(ctx context.Context, issuer string) error
	// EndExternalSessions ends at most limit sessions of the issuer after the
	// given one, which are ordered by their ids, and revokes their tokens, in one
	// transaction. The position is not before that of any earlier call; last is
	// where to go on, and Nil if there are no more.
	EndExternalSessions(ctx context.Context, issuer string, after uuid.UUID, limit int) (ended int, last uuid.UUID, seq int64, err error)
}

// ExternalIssuers lists the issuers in the order of their names: those that are
// configured, were revoked, or have a subject who is a user.
func (s *Service) ExternalIssuers(ctx context.Context) ([]ExternalIssuer, error) {
	issuers, err := s.store.ExternalIssuers(ctx, s.externalNames, false, s.limits.Idle)
	for i := range issuers {
		issuers[i].Configured = slices.Contains(s.externalNames, issuers[i].Issuer)
	}
	return issuers, err
}

// externalIssuer is one of them; of one that nothing is known of there is the
// name alone.
func (s *Service) externalIssuer(ctx context.Context, issuer string) (ExternalIssuer, error) {
	issuers, err := s.store.ExternalIssuers(ctx, []string{issuer}, true, s.limits.Idle)
	if err != nil {
		return ExternalIssuer{}, err
	}
	if len(issuers) != 1 {
		return ExternalIssuer{}, fmt.Errorf("external issuer: %d rows of one", len(issuers))
	}
	issuers[0].Configured = slices.Contains(s.externalNames, issuer)
	return issuers[0], nil
}

// known says whether anything is known of an issuer.
func (s *Service) known(ctx context.Context, issuer string) error {
	if slices.Contains(s.externalNames, issuer) {
		return nil
	}
	i, err := s.externalIssuer(ctx, issuer)
	if err == nil && !i.Known {
		return ErrExternalIssuerNotFound
	}
	return err
}

const (
	// endBatch bounds the rows that one transaction locks.
	endBatch = 1000
	// endLimit is how long one call ends sessions; it leaves room below
	// commitLimit for the transaction that is under way then.
	endLimit = commitLimit * 6 / 10
	// endMargin is left of the caller's deadline for that transaction.
	endMargin = 500 * time.Millisecond
)

// RevokeExternalIssuer refuses every token of an issuer, and ends the sessions
// that began with one. When it returns without error no exchange accepts a token
// of the issuer, no replica admits a token of these sessions, and none a token
// of the issuer itself. Repeating it is harmless. The error is
// ErrExternalIssuerOwn, ErrExternalIssuerNotFound if nothing is known of the
// issuer and missing is not set, *UnfinishedError, ErrBusy or *PendingError.
func (s *Service) RevokeExternalIssuer(ctx context.Context, issuer string, missing bool) (revoked ExternalIssuer, ended int64, r Receipt, err error) {
	if issuer == s.minter.issuer.Name() {
		return ExternalIssuer{}, 0, Receipt{}, ErrExternalIssuerOwn
	}
	if !missing {
		if err := s.known(ctx, issuer); err != nil {
			return ExternalIssuer{}, 0, Receipt{}, err
		}
	}
	until := time.Now().Add(endLimit)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-endMargin).Before(until) {
		until = deadline.Add(-endMargin)
	}
	r, err = s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		if seq, err = s.store.RefuseExternalIssuer(ctx, issuer); err != nil {
			return 0, err
		}
		for after := uuid.Nil; ; {
			n, last, at, err := s.store.EndExternalSessions(ctx, issuer, after, endBatch)
			if errors.Is(err, ErrBusy) { // of which something was done
				err = &UnfinishedError{ended}
			}
			if err != nil {
				return 0, err
			}
			ended, seq, after = ended+int64(n), max(seq, at), last
			if last == uuid.Nil {
				break
			}
			if time.Now().After(until) {
				return 0, &UnfinishedError{ended}
			}
		}
		// Before the wait: the caller's own session may be one of them.
		revoked, err = s.externalIssuer(ctx, issuer)
		return seq, err
	})
	return revoked, ended, r, err
}

// AcceptExternalIssuer lets tokens of an issuer be exchanged again. It revives
// nothing. The error is ErrExternalIssuerNotFound.
func (s *Service) AcceptExternalIssuer(ctx context.Context, issuer string) (ExternalIssuer, error) {
	if err := s.known(ctx, issuer); err != nil {
		return ExternalIssuer{}, err
	}
	if err := s.store.AcceptExternalIssuer(ctx, issuer); err != nil {
		return ExternalIssuer{}, err
	}
	return s.externalIssuer(ctx, issuer)
}
