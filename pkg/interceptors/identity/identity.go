// Package identity is the caller: the verified content of an access token, as
// handlers and the links of the chain see it.
//
// In production code only token.Verifier makes an [Identity]. All calls with
// the same token share it, so it must not be changed.
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

// Identity is the verified content of one access token. It is shared by
// concurrent calls: do not change it.
type Identity struct {
	// Issuer is `iss`. Subjects, sessions, keys and epochs are only unique
	// within one issuer.
	Issuer string
	// Subject is `sub`: the bare id of a user, or "services/{name}" for a
	// service.
	Subject string
	// SessionID is `sid`; empty if the profile of the issuer does not require
	// it.
	SessionID string
	// TokenID is `jti`; empty if the profile of the issuer does not require it.
	TokenID string
	// KeyID is `kid`, the key that signed the token.
	KeyID string
	// Epoch is the epoch of the subject when the token was issued; 0 for
	// issuers that have no epochs.
	Epoch int64
	// Roles are the roles of the subject when the token was issued.
	Roles []string
	// AuthTime is `auth_time`, when the user last logged in. Zero if it is
	// unknown, which is older than every maximum age.
	AuthTime time.Time
	// IssuedAt is `iat`.
	IssuedAt time.Time
	// ExpiresAt is `exp`, without any leeway.
	ExpiresAt time.Time
	// ACR is the authentication context class, for example "aal1".
	ACR string
}

// IsService reports whether the caller is a service and not a user.
func (i Identity) IsService() bool { return strings.HasPrefix(i.Subject, servicePrefix) }

// Principal returns the resource name of the caller, "users/{id}" or
// "services/{name}". It is unique within one issuer.
func (i Identity) Principal() string {
	if i.IsService() {
		return i.Subject
	}
	return "users/" + i.Subject
}

// NewContext returns a context that carries id. It is for tests of handlers; in
// a server the chain does this.
func NewContext(ctx context.Context, id *Identity) context.Context {
	return context.WithValue(ctx, contextkey.Identity{}, id)
}

// FromContext returns the caller. It returns false if the method is public or
// ctx is not from a call that the chain admitted. In a handler of a method that
// is not public it always returns true.
func FromContext(ctx context.Context) (*Identity, bool) {
	id, ok := ctx.Value(contextkey.Identity{}).(*Identity)
	return id, ok && id != nil
}
