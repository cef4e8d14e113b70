package rpc

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// errNoUser is a fault of the permissions: a method for users was opened to
// others.
var errNoUser = errors.New("the caller is no user")

// caller returns who calls a method that only users may call.
func caller(ctx context.Context) (account.Caller, error) {
	id, ok := identity.FromContext(ctx)
	if !ok || id.IsService() {
		return account.Caller{}, errNoUser
	}
	user, err := uuid.Parse(id.Subject)
	if err != nil {
		return account.Caller{}, fmt.Errorf("sub: %w", err)
	}
	session, err := callerSession(ctx)
	if err != nil {
		return account.Caller{}, err
	}
	return account.Caller{UserID: user, SessionID: session}, nil
}

// callerSession returns the session of the caller's token.
func callerSession(ctx context.Context) (uuid.UUID, error) {
	id, ok := identity.FromContext(ctx)
	if !ok {
		return uuid.Nil, errNoUser
	}
	session, err := uuid.Parse(id.SessionID)
	if err != nil {
		return uuid.Nil, fmt.Errorf("sid: %w", err)
	}
	return session, nil
}

// callerSessionID is empty if there is no caller.
func callerSessionID(ctx context.Context) string {
	if id, ok := identity.FromContext(ctx); ok {
		return id.SessionID
	}
	return ""
}
