package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

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

// memoryNetwork is the network of connections from the HTTP edge of this
// process, whose own address says nothing.
const memoryNetwork = "bufconn"

// address is the network address of the client, without its port. Behind the
// HTTP edge it is the last element of x-forwarded-for: the one that the edge
// added itself; the client writes the others.
func address(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	if p.Addr.Network() == memoryNetwork {
		all := metadata.ValueFromIncomingContext(ctx, "x-forwarded-for")
		if len(all) == 0 {
			return ""
		}
		parts := strings.Split(all[len(all)-1], ",")
		return strings.TrimSpace(parts[len(parts)-1])
	}
	host, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		return p.Addr.String()
	}
	return host
}
