package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/refresh"
)

// Presented is an authentic refresh token, and what the statement needs to
// judge it.
type Presented struct {
	SessionID  uuid.UUID
	Generation int32
	RetryHash  []byte    // nil without a retry key
	FreshID    uuid.UUID // jti of the next generation, if one is made
	MACKey     uint32    // of the next generation, if one is made
	Window     time.Duration
	Idle       time.Duration
}

// Refreshed is the verdict on a Presented.
type Refreshed struct {
	Generation Generation
	// Refused is nil, ErrRefreshUnknown, ErrRefreshExpired, ErrRefreshReused,
	// ErrSessionRevoked or ErrRetryKeyRequired. Reused means that the session was ended and its
	// tokens revoked in the same statement.
	Refused error
	// Ahead: the token is of a generation that the database has not made.
	Ahead bool
	// Again: an older hand-out was repeated, no generation was made.
	Again bool
}

type refreshStore interface {
	Refresh(ctx context.Context, p Presented) (Refreshed, error)
}

// Refresh exchanges a refresh token. A refusal is one of ErrRefreshUnknown,
// ErrRefreshExpired, ErrRefreshReused and ErrSessionRevoked; nothing else means
// that the session is over. ErrRetryKeyRequired says that a native session
// was to be refreshed without a key; nothing has changed.
func (s *Service) Refresh(ctx context.Context, token string, retryKey []byte) (Tokens, error) {
	t, err := s.refresh.Decode(token)
	if err != nil {
		return Tokens{}, fmt.Errorf("%w: %w", ErrRefreshUnknown, err)
	}
	p, err := s.presented(t, retryKey)
	if err != nil {
		return Tokens{}, err
	}
	r, err := s.store.Refresh(ctx, p)
	if err != nil {
		return Tokens{}, err
	}
	s.note(ctx, t, r)
	if r.Refused != nil {
		return Tokens{}, r.Refused
	}
	return s.minter.Mint(ctx, r.Generation)
}

func (s *Service) presented(t refresh.Token, retryKey []byte) (Presented, error) {
	hash, err := s.refresh.RetryHash(t, retryKey)
	if err != nil {
		return Presented{}, err
	}
	fresh, err := uuid.NewV7()
	if err != nil {
		return Presented{}, fmt.Errorf("token id: %w", err)
	}
	return Presented{
		SessionID: t.Session, Generation: t.Generation, RetryHash: hash,
		FreshID: fresh, MACKey: s.refresh.PrimaryKey(), Window: s.limits.Window, Idle: s.limits.Idle,
	}, nil
}

// Verdict is what became of a refresh token that this service had made.
type Verdict string

// The verdicts.
const (
	// Rotated: a new generation was made.
	Rotated Verdict = "rotated"
	// Repeated: an answer was given again.
	Repeated Verdict = "repeated"
	// Reused: a copy was used; the session was ended.
	Reused Verdict = "reused"
	// Ahead: the database has lost the commit that made it.
	Ahead Verdict = "ahead"
	// Refused: expired, revoked, unknown to the database, or without its retry key.
	Refused Verdict = "refused"
)

// note writes what an investigator wants to know: a copy was used, a token came
// from a future that the database lost, or an answer was given again.
func (s *Service) note(ctx context.Context, t refresh.Token, r Refreshed) {
	log := s.log.With("session", t.Session, "generation", t.Generation)
	verdict := Rotated
	switch {
	case errors.Is(r.Refused, ErrRefreshReused):
		verdict = Reused
		log.WarnContext(ctx, "refresh token reused, session ended")
	case r.Ahead:
		verdict = Ahead
		log.ErrorContext(ctx, "refresh token is newer than its session: the database lost commits")
	case r.Again:
		verdict = Repeated
		log.InfoContext(ctx, "refresh answer repeated")
	case r.Refused != nil:
		verdict = Refused
	}
	s.counted(ctx, verdict)
}
