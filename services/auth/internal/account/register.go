package account

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/password"
)

// NewUser is a user to be stored.
type NewUser struct {
	ID           uuid.UUID
	Email        string
	Roles        []string
	PasswordHash string
}

type registerStore interface {
	// CreateUser stores user and credential, or ErrEmailTaken.
	CreateUser(ctx context.Context, u NewUser) (User, error)
}

// Registration is a request to become a customer.
type Registration struct {
	Email    string
	Password string
	Address  string // network address of the client, for the limit on registering
}

// TooFastError says how long an address has to wait for its next registration.
type TooFastError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *TooFastError) Error() string {
	return "too many registrations; wait " + e.RetryAfter.String()
}

// Register creates a customer. The error is ErrEmailInvalid, ErrEmailTaken, one
// of password.Judge, *TooFastError, or password.ErrBusy.
func (s *Service) Register(ctx context.Context, in Registration) (User, error) {
	if wait := s.pace.Take(in.Address); wait > 0 {
		return User{}, &TooFastError{RetryAfter: wait}
	}
	return s.create(ctx, in.Email, in.Password, []string{RoleCustomer})
}

func (s *Service) create(ctx context.Context, email, pw string, roles []string) (User, error) {
	email, err := NormalizeEmail(email)
	if err != nil {
		return User{}, err
	}
	if err := password.Judge(pw, email); err != nil {
		return User{}, err
	}
	hash, err := s.hasher.HashNew(ctx, pw)
	if err != nil {
		return User{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return User{}, err
	}
	return s.store.CreateUser(ctx, NewUser{ID: id, Email: email, Roles: roles, PasswordHash: hash})
}
