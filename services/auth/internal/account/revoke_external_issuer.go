package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// UnfinishedError says that the issuer is revoked, and that some of its sessions
// are not ended yet. The same call again goes on.
type UnfinishedError struct {
	Ended int64 // sessions that the call has ended
}

// Error says so.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("not all sessions of the external issuer are ended yet, %d are", e.Ended)
}

// revokeExternalIssuerStore takes the lock of an issuer before any other.
type revokeExternalIssuerStore interface {
	// RefuseExternalIssuer waits for exchanges that are under way, refuses those
	// to come, and revokes the issuer's own tokens, in one transaction; what is
	// so already stays as it is.
	RefuseExternalIssuer(ctx context.Context, issuer string) (seq int64, err error)
	// EndExternalSessions ends at most limit sessions of the issuer after the
	// given one, which are ordered by their ids, and revokes their tokens, in one
	// transaction. The position is not before that of any earlier call; last is
	// where to go on, and Nil if there are no more.
	EndExternalSessions(ctx context.Context, issuer string, after uuid.UUID, limit int) (ended int, last uuid.UUID, seq int64, err error)
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
