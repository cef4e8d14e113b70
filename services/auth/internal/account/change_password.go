package account

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/password"
)

type changePasswordStore interface {
	// Credential returns ErrUserNotFound for an unknown user. The hash of a user
	// without a password is empty.
	Credential(ctx context.Context, user uuid.UUID) (Credential, error)
	// ChangePassword replaces the hash, raises epoch and version, ends every
	// session, opens n with the device of the caller's session, and revokes the
	// older epochs, in one transaction. It
	// returns ErrAccountChanged if the version of n is no longer the newest,
	// and ErrSessionRevoked if the session of the caller has ended.
	ChangePassword(ctx context.Context, caller Caller, n NewSession, hash string) (Generation, int64, error)
}

// PasswordChange is a request to change the password.
type PasswordChange struct {
	Current string
	New     string
	Address string // network address of the client, for the limit on guessing
}

// PasswordChanged is the session that the caller goes on with.
type PasswordChanged struct {
	Tokens    Tokens
	SessionID uuid.UUID
	Receipt   Receipt
}

// ChangePassword replaces the password and every session by one new session.
// When it returns without error no replica admits an older token of the user.
// The error is ErrCredentialsInvalid, ErrPasswordNotSet, ErrPasswordUnchanged,
// ErrAccountChanged, ErrSessionRevoked, one of password.Judge,
// *TooManyAttemptsError, password.ErrBusy, ErrBusy, or *PendingError after the
// commit.
func (s *Service) ChangePassword(ctx context.Context, caller Caller, in PasswordChange) (PasswordChanged, error) {
	account := caller.UserID.String()
	if wait := s.limiter.Wait(account, in.Address); wait > 0 {
		return PasswordChanged{}, &TooManyAttemptsError{RetryAfter: wait}
	}
	for range attempts {
		out, err := s.changePassword(ctx, caller, in)
		if !errors.Is(err, ErrAccountChanged) {
			return out, err
		}
	}
	return PasswordChanged{}, ErrAccountChanged
}

// mintLimit bounds the wait for a key that signs.
const mintLimit = 5 * time.Second

func (s *Service) changePassword(ctx context.Context, caller Caller, in PasswordChange) (PasswordChanged, error) {
	account := caller.UserID.String()
	cred, err := s.store.Credential(ctx, caller.UserID)
	if err != nil {
		return PasswordChanged{}, err
	}
	match, err := s.hasher.Verify(ctx, cred.Hash, in.Current)
	if err != nil {
		return PasswordChanged{}, err
	}
	if !match.OK {
		s.limiter.Failed(account, in.Address)
		// Only now: who has no password waits as long as who does not know it.
		if cred.Hash == "" {
			return PasswordChanged{}, ErrPasswordNotSet
		}
		return PasswordChanged{}, ErrCredentialsInvalid
	}
	s.limiter.Succeeded(account, in.Address)
	if in.New == in.Current {
		return PasswordChanged{}, ErrPasswordUnchanged
	}
	if err := password.Judge(in.New, cred.User.Email); err != nil {
		return PasswordChanged{}, err
	}
	hash, err := s.hasher.Hash(ctx, in.New)
	if err != nil {
		return PasswordChanged{}, err
	}
	n, err := s.newSession(cred)
	if err != nil {
		return PasswordChanged{}, err
	}
	var g Generation
	receipt, err := s.revoke(ctx, func(ctx context.Context) (seq int64, err error) {
		g, seq, err = s.store.ChangePassword(ctx, caller, n, hash)
		return seq, err
	})
	if err != nil {
		return PasswordChanged{}, err
	}
	// The call may have been cancelled by its own revocation.
	minting, cancel := context.WithTimeout(context.WithoutCancel(ctx), mintLimit)
	defer cancel()
	tokens, err := s.minter.Mint(minting, g)
	if err != nil {
		return PasswordChanged{}, err
	}
	return PasswordChanged{Tokens: tokens, SessionID: g.SessionID, Receipt: receipt}, nil
}
