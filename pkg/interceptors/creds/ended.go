package creds

import (
	"errors"
	"slices"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// IssuerDomain is the ErrorInfo domain of the service that issues sessions
// (curfew.auth.v1.ErrorReason).
const IssuerDomain = "auth.curfew.dev"

// The reasons of IssuerDomain that end a session, as they travel. No other one
// does, and no status without an ErrorInfo: an ingress or a firewall answers
// UNAUTHENTICATED and PERMISSION_DENIED too, and knows nothing about sessions.
const (
	ReasonRefreshUnknown = "REFRESH_UNKNOWN"
	ReasonRefreshExpired = "REFRESH_EXPIRED"
	ReasonRefreshReused  = "REFRESH_REUSED"
	ReasonSessionRevoked = "SESSION_REVOKED"
)

var ending = []string{ReasonRefreshUnknown, ReasonRefreshExpired, ReasonRefreshReused, ReasonSessionRevoked}

// ended tells whether the issuer has decided that the session is over;
// everything else is "not now".
func ended(err error) bool {
	if errors.Is(err, ErrSignedOut) {
		return true
	}
	info := status.Info(err)
	return info.GetDomain() == IssuerDomain && slices.Contains(ending, info.GetReason())
}
