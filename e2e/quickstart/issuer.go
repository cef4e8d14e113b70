package quickstart

import (
	"log/slog"
	"net/http"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// Tokens verifies the access tokens that an OpenID Connect issuer made for
// audience: Auth0, Keycloak, Entra, your own. Keys are found by discovery,
// refreshed, and served through an outage of the issuer. client may be nil.
func Tokens(issuer, audience string, client *http.Client, log *slog.Logger) (*token.Verifier, error) {
	fetch, err := token.Discover(issuer, client)
	if err != nil {
		return nil, err
	}
	keys, err := token.NewRemote(fetch, log, token.RemoteOptions{})
	if err != nil {
		return nil, err
	}
	profile := token.OIDC(issuer, keys)
	profile.Audiences = []string{audience}
	profile.RolesClaim = []string{"roles"}
	return token.NewVerifier(profile)
}
