package account

import (
	"context"

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

// Register creates a customer. The error is ErrEmailInvalid, ErrEmailTaken, one
// of password.Judge, or password.ErrBusy.
func (s *Service) Register(ctx context.Context, email, pw string) (User, error) {
	return s.create(ctx, email, pw, []string{RoleCustomer})
}

func (s *Service) create(ctx context.Context, email, pw string, roles []string) (User, error) {
	email, err := NormalizeEmail(email)
	if err != nil {
		return User{}, err
	}
	if err := password.Judge(pw, email); err != nil {
		return User{}, err
	}
	hash, err := s.hasher.Hash(ctx, pw)
	if err != nil {
		return User{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return User{}, err
	}
	return s.store.CreateUser(ctx, NewUser{ID: id, Email: email, Roles: roles, PasswordHash: hash})
}
