package token

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// CurfewIssuer is the default issuer of the tokens of services/auth.
const CurfewIssuer = "https://auth.curfew.dev"

// CurfewAudience is the audience of the tokens of services/auth.
const CurfewAudience = "curfew"

// Profile says what a token of one issuer must look like. Start from [Curfew],
// [OIDC] or [Kubernetes] and change fields; [NewVerifier] validates the result.
type Profile struct {
	// Name appears in Verifier.Describe: "curfew", "oidc" or "kubernetes".
	Name string
	// Issuer must equal `iss`, byte for byte.
	Issuer string
	// Keys are the keys of the issuer.
	Keys Keys
	// Algorithms are the accepted ones. Besides, each key is used with its own
	// algorithm only.
	Algorithms []string
	// Types are the accepted values of the `typ` header, in lower case and
	// without "application/". An empty string accepts a token without `typ`.
	Types []string
	// Audiences: `aud` must contain one of them. May be empty only if
	// AuthorizedParties is not.
	Audiences []string
	// AuthorizedParties: `azp` must be one of them, unless the list is empty.
	AuthorizedParties []string
	// Sessions: `sid` and `jti` are required.
	Sessions bool
	// Epochs: `epoch` is required. A token without it cannot be revoked by
	// epoch, only by token, session, subject block, key or issuer.
	Epochs bool
	// NotBefore: `nbf` is required.
	NotBefore bool
	// OpaqueSubjects: `sub` may have up to 255 bytes (OpenID Connect Core
	// section 2) and may contain slashes. Only for a verifier whose caller
	// looks the subject up and never uses it as a name: as a name it could look
	// like another principal's.
	OpaqueSubjects bool
	// NoActors refuses tokens with which somebody else acts for the subject
	// (`act`, RFC 8693 section 4.1), for example by impersonation. Otherwise
	// `act` is ignored.
	NoActors bool
	// RolesClaim is the path of the claim that holds the roles, outermost
	// member first; the claim is an array of strings. Empty: no roles.
	// RolesRequired refuses tokens without the claim.
	RolesClaim    []string
	RolesRequired bool
	// Claims, if not empty, are the only claims that a token may have. A claim
	// that is not understood may restrict the token (`cnf` does), so that
	// ignoring it would give the token more power than it has.
	Claims []string
	// Leeway is the tolerated difference of clocks for exp, nbf, iat and
	// auth_time, 0 to 2 minutes. Curfew has 5 s, OIDC 30 s. If the clock of the
	// issuer is ahead of the verifier's by more, new tokens are malformed until
	// the verifier's clock has caught up. Calls fail until then; clients
	// neither renew the token, which would not help, nor end the session.
	Leeway time.Duration
	// MaxLife is the longest exp - iat that is accepted. Revocation rules are
	// forgotten after the longest life, so that a longer token would become
	// valid again.
	MaxLife time.Duration
}

// Curfew is the profile of the access tokens of services/auth: RFC 9068 with
// session, epoch and roles.
func Curfew(issuer string, keys Keys) Profile {
	return Profile{
		Name: "curfew", Issuer: issuer, Keys: keys,
		Algorithms: []string{EdDSA, ES256},
		Types:      []string{"at+jwt"},
		Audiences:  []string{CurfewAudience},
		Sessions:   true, Epochs: true, NotBefore: true,
		RolesClaim: []string{"roles"}, RolesRequired: true,
		Claims:  []string{"sub", "sid", "jti", "epoch", "roles", "auth_time", "acr", "iss", "aud", "exp", "nbf", "iat"},
		Leeway:  5 * time.Second,
		MaxLife: time.Hour,
	}
}

// OIDC is the profile of any OpenID Connect issuer. Set Audiences or
// AuthorizedParties, and RolesClaim if the tokens carry roles. It refuses the
// refresh tokens and ID tokens of the common providers.
func OIDC(issuer string, keys Keys) Profile {
	return Profile{
		Name: "oidc", Issuer: issuer, Keys: keys,
		Algorithms: []string{RS256, PS256, ES256, ES384, EdDSA},
		Types:      []string{"at+jwt", "jwt"},
		Leeway:     30 * time.Second,
		MaxLife:    24 * time.Hour,
	}
}

// Kubernetes is the profile of projected service-account tokens of a cluster,
// whose `sub` is system:serviceaccount:NAMESPACE:NAME. audience is the one that
// the volume of the pod asks for; a token without it was issued for somebody
// else, for example for the API server. The tokens have no `typ`. A pod may
// present one as often as it likes until it expires. MaxLife is the largest
// expirationSeconds that is accepted.
func Kubernetes(issuer, audience string, keys Keys) Profile {
	return Profile{
		Name: "kubernetes", Issuer: issuer, Keys: keys,
		Algorithms: []string{RS256, ES256},
		Types:      []string{"", "jwt"},
		Audiences:  []string{audience},
		NotBefore:  true,
		Leeway:     30 * time.Second,
		MaxLife:    time.Hour,
	}
}

const maxLeeway = 2 * time.Minute

func (p Profile) check() error {
	switch {
	case p.Issuer == "":
		return errors.New("no issuer")
	case p.Keys == nil, reflect.ValueOf(p.Keys).Kind() == reflect.Pointer && reflect.ValueOf(p.Keys).IsNil():
		return errors.New("no keys")
	case len(p.Algorithms) == 0:
		return errors.New("no algorithms")
	case len(p.Types) == 0:
		return errors.New("no types")
	case len(p.Audiences) == 0 && len(p.AuthorizedParties) == 0:
		return errors.New("neither audiences nor authorized parties")
	case p.Leeway < 0 || p.Leeway > maxLeeway:
		return fmt.Errorf("leeway not within 0 to %s", maxLeeway)
	case p.MaxLife <= 0:
		return errors.New("no longest life")
	case p.RolesRequired && len(p.RolesClaim) == 0:
		return errors.New("roles required but no claim named")
	case slices.Contains(slices.Concat(p.Audiences, p.AuthorizedParties, p.RolesClaim), ""):
		return errors.New("an empty audience, authorized party or name of a claim")
	case p.OpaqueSubjects && p.Epochs:
		return errors.New("subjects of an issuer of our own are names")
	}
	known := []string{EdDSA, ES256, ES384, RS256, PS256, HS256}
	for _, alg := range p.Algorithms {
		if !slices.Contains(known, alg) {
			return fmt.Errorf("unknown algorithm %q", alg)
		}
	}
	for _, typ := range p.Types {
		if typ != mediaType(typ) {
			return fmt.Errorf("type %q would admit none: write %q", typ, mediaType(typ))
		}
	}
	return nil
}

// String describes the profile in one line, for --check.
func (p Profile) String() string {
	required := []string{"sub", "exp", "iat"}
	if p.Sessions {
		required = append(required, "sid", "jti")
	}
	if p.Epochs {
		required = append(required, "epoch")
	}
	if p.NotBefore {
		required = append(required, "nbf")
	}
	if p.RolesRequired {
		required = append(required, strings.Join(p.RolesClaim, "."))
	}
	s := fmt.Sprintf("%s issuer=%s alg=%s typ=%s", p.Name, p.Issuer, strings.Join(p.Algorithms, ","), strings.Join(p.Types, ","))
	if len(p.Audiences) > 0 {
		s += " aud=" + strings.Join(p.Audiences, ",")
	}
	if len(p.AuthorizedParties) > 0 {
		s += " azp=" + strings.Join(p.AuthorizedParties, ",")
	}
	return fmt.Sprintf("%s required=%s leeway=%s max-life=%s", s, strings.Join(required, ","), p.Leeway, p.MaxLife)
}
