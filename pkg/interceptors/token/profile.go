package token

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// CurfewIssuer is the issuer of the platform's own tokens unless configured
// otherwise.
const CurfewIssuer = "https://auth.curfew.dev"

// CurfewAudience is the audience that the platform's own tokens carry.
const CurfewAudience = "curfew"

// Profile says what a token of one issuer must look like. Start from Curfew
// OIDC or Kubernetes and change fields; NewVerifier validates the result.
type Profile struct {
	// Name appears in Describe: "curfew", "oidc" or "kubernetes".
	Name string
	// Issuer is compared with `iss`, byte for byte.
	Issuer string
	// Keys of the issuer.
	Keys Keys
	// Algorithms that are accepted at all, on top of each key having one.
	Algorithms []string
	// Types of the `typ` header, without case and without "application/". An
	// empty string admits tokens that have none.
	Types []string
	// Audiences: `aud` must contain one of them. If empty, AuthorizedParties
	// must not be.
	Audiences []string
	// AuthorizedParties: `azp` must be one of them. Checked if not empty.
	AuthorizedParties []string
	// Sessions: `sid` and `jti` are required.
	Sessions bool
	// Epochs: `epoch` is required; without it such a token cannot be revoked
	// by epoch, only by session, token, subject block, key or issuer.
	Epochs bool
	// NotBefore: `nbf` is required.
	NotBefore bool
	// OpaqueSubjects: `sub` may have 255 bytes (OpenID Connect Core 2) and
	// slashes in it. Only for a verifier whose caller looks the subject up and
	// never uses it as a name: as a name it could look like another principal's.
	OpaqueSubjects bool
	// NoActors refuses tokens by which somebody else acts for the subject (`act`,
	// RFC 8693 4.1), an impersonator's for example. Without it `act` says nothing.
	NoActors bool
	// RolesClaim is the path of the claim with the roles, outermost first: an
	// array of strings. Required in the token if RolesRequired. Empty: no roles.
	RolesClaim    []string
	RolesRequired bool
	// Claims, if not empty, are all that a token may carry. An unknown claim
	// may restrict the token (`cnf` does), so ignoring it would widen it.
	Claims []string
	// Leeway for clocks that differ, on exp, nbf, iat and auth_time: 0 to 2
	// minutes. Curfew has 5 s, OIDC 30 s. It is assumed that the clock that
	// stamps tokens is ahead of the verifier's by no more than that. Where it is,
	// fresh tokens are malformed until the verifier's clock has caught up:
	// calls fail, and a renewal would not help, so clients do not ask for one;
	// no client may end a session for it.
	Leeway time.Duration
	// MaxLife bounds exp - iat: a rule of the revocation set is forgotten after
	// the longest life, so a longer token would come back to life.
	MaxLife time.Duration
}

// Curfew is the profile of the platform's own access tokens (RFC 9068 with
// session, epoch and roles).
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

// OIDC is the profile of an external issuer: give it Audiences or
// AuthorizedParties, and RolesClaim if roles are wanted. Refresh and ID tokens
// of the common providers are refused as access tokens.
func OIDC(issuer string, keys Keys) Profile {
	return Profile{
		Name: "oidc", Issuer: issuer, Keys: keys,
		Algorithms: []string{RS256, PS256, ES256, ES384, EdDSA},
		Types:      []string{"at+jwt", "jwt"},
		Leeway:     30 * time.Second,
		MaxLife:    24 * time.Hour,
	}
}

// Kubernetes is the profile of the projected service-account tokens of a
// cluster: `sub` is system:serviceaccount:NAMESPACE:NAME. The audience is the
// one that the pod's volume asks for; a token without it was made for the API
// server, or for somebody else. These tokens have no `typ`. They are bearer
// tokens that a pod presents as often as it likes, so nothing here is used
// once: see MaxLife, which is the longest `expirationSeconds` that is admitted.
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

// String describes the profile on one line, for --check.
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
