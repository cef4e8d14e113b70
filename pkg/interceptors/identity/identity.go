// Package identity is who calls: the verified content of an access token, as
// handlers and the links of the chain see it.
//
// An Identity is made by token.Verifier and by nothing else in production
// code. It is shared by all calls that present the same token, so it is
// read-only after it was made.
package identity

import (
	"context"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/internal/contextkey"
)

// servicePrefix begins the subject of every service principal. Subjects of
// users never contain a slash: the verifier refuses them.
const servicePrefix = "services/"

// Identity is the verified content of one access token. Treat it as
// read-only: the same value serves concurrent calls.
type Identity struct {
	// Issuer is `iss`. Subjects, sessions and epochs mean something only
	// together with it.
	Issuer string
	// Subject is `sub`: the bare id of a user, or "services/{name}".
	Subject string
	// SessionID is `sid`. Empty only for issuers whose profile allows that.
	SessionID string
	// TokenID is `jti`. Empty only for issuers whose profile allows that.
	TokenID string
	// KeyID is `kid` of the key that signed the token.
	KeyID string
	// Epoch is the subject epoch that the token was minted under; 0 for
	// issuers whose tokens have none.
	Epoch int64
	// Roles are the roles at the time of minting.
	Roles []string
	// AuthTime is when the user last proved who they are. Zero if unknown,
	// which is older than every allowed age.
	AuthTime time.Time
	// IssuedAt is `iat`.
	IssuedAt time.Time
	// ExpiresAt is `exp`, without any leeway.
	ExpiresAt time.Time
	// ACR is the authentication context class, for example "aal1".
	ACR string
}

// IsService tells whether the caller is a service and not a user.
func (i Identity) IsService() bool { return strings.HasPrefix(i.Subject, servicePrefix) }

// Principal is the resource name of the caller: "users/{id}" or
// "services/{name}". It is unique within one issuer.
func (i Identity) Principal() string {
	if i.IsService() {
		return i.Subject
	}
	return "users/" + i.Subject
}

// NewContext returns a context that carries id, for tests of handlers. In a
// server the chain's own context carries it.
func NewContext(ctx context.Context, id *Identity) context.Context {
	return context.WithValue(ctx, contextkey.Identity{}, id)
}

// FromContext returns the caller. It is false for public methods and for
// contexts that do not come from a call; a handler of a method that is not
// public may rely on true.
func FromContext(ctx context.Context) (*Identity, bool) {
	id, ok := ctx.Value(contextkey.Identity{}).(*Identity)
	return id, ok && id != nil
}
