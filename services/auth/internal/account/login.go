package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Credential is what one read said about a user: the hash counts only together
// with the version and the epoch beside it.
type Credential struct {
	User        User
	Hash        string
	CredVersion int64
	Epoch       int64
}

// NewSession is a session to be opened for a verified credential.
type NewSession struct {
	ID      uuid.UUID
	TokenID uuid.UUID
	Device  string
	Native  bool
	MACKey  uint32
	// Verified: the session is opened only if the user is still active with
	// this version and epoch.
	UserID      uuid.UUID
	CredVersion int64
	Epoch       int64
	Absolute    time.Duration
	// Cap is how many live sessions the user may have afterwards; Idle tells
	// which are live.
	Cap  int
	Idle time.Duration
	// Origin is nil if a password was verified.
	Origin *Origin
}

type loginStore interface {
	// CredentialByEmail returns ErrUserNotFound for an unknown address.
	CredentialByEmail(ctx context.Context, email string) (Credential, error)
	// OpenSession locks the user, evicts, inserts and revokes what it evicted
	// in one transaction. It returns ErrAccountChanged if what was verified is
	// no longer so.
	OpenSession(ctx context.Context, n NewSession) (Generation, error)
	// ReplaceHash stores another hash of the same password; nothing happens if
	// the version has moved on.
	ReplaceHash(ctx context.Context, user uuid.UUID, credVersion int64, hash string) error
}

// Login is a request to begin a session.
type Login struct {
	Email    string
	Password string
	Device   string
	Native   bool
	Address  string // network address of the client, for the limit on guessing
}

// LoggedIn is a session that began.
type LoggedIn struct {
	Tokens    Tokens
	User      User
	SessionID uuid.UUID
}

// Login begins a session. It does not wait for the evictions that it may have
// committed. The error is ErrCredentialsInvalid, ErrUserDeactivated,
// ErrAccountChanged, *TooManyAttemptsError, password.ErrBusy or ErrBusy. An
// unknown address costs as much time as a wrong password.
func (s *Service) Login(ctx context.Context, in Login) (LoggedIn, error) {
	email, err := NormalizeEmail(in.Email)
	if err != nil {
		email = "" // nobody has it, and the answer is that of an unknown address
	}
	if wait := s.limiter.Wait(email, in.Address); wait > 0 {
		return LoggedIn{}, &TooManyAttemptsError{RetryAfter: wait}
	}
	for range attempts {
		out, err := s.login(ctx, email, in)
		if !errors.Is(err, ErrAccountChanged) {
			return out, err
		}
	}
	return LoggedIn{}, ErrAccountChanged
}

func (s *Service) login(ctx context.Context, email string, in Login) (LoggedIn, error) {
	cred, err := s.store.CredentialByEmail(ctx, email)
	if err != nil && !errors.Is(err, ErrUserNotFound) {
		return LoggedIn{}, err
	}
	match, err := s.hasher.Verify(ctx, cred.Hash, in.Password)
	if err != nil {
		return LoggedIn{}, err
	}
	if !match.OK {
		s.limiter.Failed(email, in.Address)
		return LoggedIn{}, ErrCredentialsInvalid
	}
	s.limiter.Succeeded(email, in.Address)
	if !cred.User.Active {
		return LoggedIn{}, ErrUserDeactivated
	}
	if match.Outdated {
		s.rehash(ctx, cred, in.Password)
	}
	n, err := s.newSession(cred)
	if err != nil {
		return LoggedIn{}, err
	}
	n.Device, n.Native = in.Device, in.Native
	g, err := s.store.OpenSession(ctx, n)
	if err != nil {
		return LoggedIn{}, err
	}
	tokens, err := s.minter.Mint(ctx, g)
	if err != nil {
		return LoggedIn{}, err
	}
	return LoggedIn{Tokens: tokens, User: cred.User, SessionID: g.SessionID}, nil
}

func (s *Service) newSession(cred Credential) (NewSession, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return NewSession{}, fmt.Errorf("session id: %w", err)
	}
	jti, err := uuid.NewV7()
	if err != nil {
		return NewSession{}, fmt.Errorf("token id: %w", err)
	}
	return NewSession{
		ID: id, TokenID: jti, MACKey: s.refresh.PrimaryKey(),
		UserID: cred.User.ID, CredVersion: cred.CredVersion, Epoch: cred.Epoch,
		Absolute: s.limits.Absolute, Cap: s.limits.Sessions, Idle: s.limits.Idle,
	}, nil
}

// rehash brings a hash up to today's parameters. The login does not depend on it.
func (s *Service) rehash(ctx context.Context, cred Credential, pw string) {
	hash, err := s.hasher.Hash(ctx, pw)
	if err == nil {
		err = s.store.ReplaceHash(ctx, cred.User.ID, cred.CredVersion, hash)
	}
	if err != nil {
		s.log.WarnContext(ctx, "password hash was not renewed", "user", cred.User.ID, "error", err)
	}
}
