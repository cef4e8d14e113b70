package rpc

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

func userName(id uuid.UUID) string { return "users/" + id.String() }

func sessionName(user, session uuid.UUID) string {
	return userName(user) + "/sessions/" + session.String()
}

// parseUser reads a name whose shape the contract has checked; another one is
// nobody's.
func parseUser(name string) (uuid.UUID, error) {
	id, err := uuid.Parse(strings.TrimPrefix(name, "users/"))
	if err != nil {
		return uuid.Nil, fmt.Errorf("%w: %w", account.ErrUserNotFound, err)
	}
	return id, nil
}

// parseSession reads a name whose shape the contract has checked.
func parseSession(name string) (user, session uuid.UUID, err error) {
	owner, id, _ := strings.Cut(name, "/sessions/")
	if user, err = parseUser(owner); err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	if session, err = uuid.Parse(id); err != nil {
		return uuid.Nil, uuid.Nil, fmt.Errorf("%w: %w", account.ErrSessionNotFound, err)
	}
	return user, session, nil
}
