package authztest

import (
	"encoding/base64"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

const (
	externalURL   = "https://login.example.org"
	distrustedURL = "https://distrusted.example.org"
	stolenKey     = "stolen-key"
	party         = "https://shop.example.org"
	life          = time.Hour
)

// kind is a token that a caller may have.
type kind struct {
	name string
	// refused is the reason with which it is no token here, "" if it is one.
	refused string
	// revoked is the rule about the token; nil if there is none.
	revoked func(c caller) revocation.Rule
	service bool          // of a service: no user's resource is its own
	acr     string        // level of the login
	age     time.Duration // of the login
	mint    func(t *testing.T, i *issuers, c caller) string
}

// caller is a token of one kind, held by whoever has the roles, about which the
// server knows so much.
type caller struct {
	kind         kind
	roles        []string
	knows        knowledge
	subject      string // whose resources are own
	session, jti string
	raw          string
	at           time.Time // raw was minted
}

// issuers are who signs.
type issuers struct {
	ours, external, distrusted, forger *tokentest.Issuer
}

func newIssuers(t *testing.T) *issuers {
	t.Helper()
	i := &issuers{ours: tokentest.New(t), external: tokentest.New(t), distrusted: tokentest.New(t), forger: tokentest.New(t)}
	i.external.URL, i.distrusted.URL = externalURL, distrustedURL
	return i
}

// verifier trusts ours, under two keys, the one that is to be distrusted, and
// the external one where the service does.
func (i *issuers) verifier(t *testing.T, external bool) interceptors.Verifier {
	t.Helper()
	keys, err := token.NewStatic(
		token.Key{ID: tokentest.KeyID, Algorithm: token.EdDSA, Public: i.ours.Public()},
		token.Key{ID: stolenKey, Algorithm: token.EdDSA, Public: i.ours.Public()})
	if err != nil {
		t.Fatal(err)
	}
	profiles := []token.Profile{token.Curfew(i.ours.URL, keys), token.Curfew(distrustedURL, i.distrusted.Keys(t))}
	if external {
		p := token.OIDC(externalURL, i.external.Keys(t))
		p.AuthorizedParties = []string{party}
		p.RolesClaim = []string{"realm_access", "roles"}
		profiles = append(profiles, p)
	}
	v, err := token.NewVerifier(profiles...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// claims are the members of a good token of ours.
func (c caller) claims(issuer string, changes ...tokentest.Claims) tokentest.Claims {
	now := time.Now().Unix()
	claims := tokentest.Claims{
		"iss": issuer, "aud": token.CurfewAudience, "sub": c.subject, "sid": c.session, "jti": c.jti, "epoch": 1, "roles": c.roles,
		"acr": c.kind.acr, "auth_time": now - int64(c.kind.age.Seconds()), "iat": now, "nbf": now, "exp": now + int64(life.Seconds()),
	}
	for _, change := range changes {
		maps.Copy(claims, change)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

func header(key, typ string) tokentest.Claims {
	return tokentest.Claims{"alg": token.EdDSA, "typ": typ, "kid": key}
}

// ours mints a token of ours with these changes.
func ours(changes ...tokentest.Claims) func(*testing.T, *issuers, caller) string {
	return func(t *testing.T, i *issuers, c caller) string {
		t.Helper()
		return i.ours.Sign(t, header(tokentest.KeyID, "at+jwt"), c.claims(i.ours.URL, changes...))
	}
}

// external mints a token of the external issuer, as the common providers make
// them: neither epoch nor time nor level of the login.
func external(changes ...tokentest.Claims) func(*testing.T, *issuers, caller) string {
	return func(t *testing.T, i *issuers, c caller) string {
		t.Helper()
		changes := append([]tokentest.Claims{{
			"aud": nil, "epoch": nil, "roles": nil, "acr": nil, "auth_time": nil,
			"azp": party, "realm_access": map[string]any{"roles": c.roles},
		}}, changes...)
		return i.external.Sign(t, header(tokentest.KeyID, "JWT"), c.claims(externalURL, changes...))
	}
}

// never is the age of a login whose time nobody knows.
const never = time.Duration(math.MaxInt64)

// kindsOf are all of them. ages are those that rules ask for.
func kindsOf(ages []time.Duration, trustsExternal bool) []kind {
	now := time.Now().Unix()
	elsewhere := "TOKEN_MALFORMED"
	if trustsExternal {
		elsewhere = ""
	}
	kinds := []kind{
		{name: "good", acr: "aal3", mint: ours()},
		{name: "of a service", acr: "aal3", service: true, mint: func(t *testing.T, i *issuers, c caller) string {
			t.Helper()
			c.subject = "services/" + c.subject
			return ours()(t, i, c)
		}},
		{name: "of a weak login", acr: "aal1", mint: ours()},
		{name: "of a middling login", acr: "aal2", mint: ours()},
		{name: "of a login of an unknown class", acr: "urn:strong", mint: ours()},
		{name: "of an external issuer", refused: elsewhere, age: never, mint: external()},

		{name: "none", refused: "TOKEN_MISSING", mint: func(*testing.T, *issuers, caller) string { return "" }},
		{name: "no JWT", refused: "TOKEN_MALFORMED", mint: func(*testing.T, *issuers, caller) string { return "garbage" }},
		{name: "a refresh token", refused: "TOKEN_MALFORMED", mint: func(_ *testing.T, _ *issuers, c caller) string {
			return base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(c.session, 2)))
		}},
		{name: "an external refresh token", refused: "TOKEN_MALFORMED", mint: external(tokentest.Claims{"typ": "Refresh"})},
		{name: "an external ID token", refused: "TOKEN_MALFORMED", mint: external(tokentest.Claims{"nonce": "n"})},
		{name: "of another type", refused: "TOKEN_MALFORMED", mint: func(t *testing.T, i *issuers, c caller) string {
			t.Helper()
			return i.ours.Sign(t, header(tokentest.KeyID, "JWT"), c.claims(i.ours.URL))
		}},
		{name: "signed by somebody else", refused: "TOKEN_MALFORMED", mint: func(t *testing.T, i *issuers, c caller) string {
			t.Helper()
			return i.forger.Sign(t, header(tokentest.KeyID, "at+jwt"), c.claims(i.ours.URL))
		}},
		{name: "unsigned", refused: "TOKEN_MALFORMED", mint: func(t *testing.T, i *issuers, c caller) string {
			t.Helper()
			return i.ours.Sign(t, tokentest.Claims{"alg": "none", "typ": "at+jwt"}, c.claims(i.ours.URL))
		}},
		{name: "of an unknown issuer", refused: "TOKEN_MALFORMED", mint: ours(tokentest.Claims{"iss": "https://unknown.example.org"})},
		{name: "without an epoch", refused: "TOKEN_MALFORMED", mint: ours(tokentest.Claims{"epoch": nil})},
		{name: "for another audience", refused: "TOKEN_WRONG_AUDIENCE", mint: ours(tokentest.Claims{"aud": "others"})},
		{name: "expired", refused: "TOKEN_EXPIRED", mint: ours(tokentest.Claims{"iat": now - 600, "nbf": now - 600, "auth_time": now - 600, "exp": now - 60})},

		{name: "revoked itself", revoked: about(revocation.KindToken, func(c caller) string { return c.jti }), mint: ours()},
		{name: "of a revoked session", revoked: about(revocation.KindSession, func(c caller) string { return c.session }), mint: ours()},
		{name: "of an old epoch", revoked: about(revocation.KindSubjectEpoch, func(c caller) string { return c.subject }), mint: ours()},
		{name: "of a blocked subject", revoked: about(revocation.KindSubjectBlock, func(c caller) string { return c.subject }), mint: ours()},
		{name: "of a stolen key", revoked: about(revocation.KindKey, func(caller) string { return stolenKey }), mint: func(t *testing.T, i *issuers, c caller) string {
			t.Helper()
			return i.ours.Sign(t, header(stolenKey, "at+jwt"), c.claims(i.ours.URL))
		}},
		{name: "of a revoked issuer", revoked: about(revocation.KindIssuer, func(caller) string { return "" }), mint: func(t *testing.T, i *issuers, c caller) string {
			t.Helper()
			return i.distrusted.Sign(t, header(tokentest.KeyID, "at+jwt"), c.claims(distrustedURL))
		}},
	}
	for i := range kinds {
		if kinds[i].acr == "" && kinds[i].name != "of an external issuer" {
			kinds[i].acr = "aal3"
		}
	}
	for _, age := range ages {
		kinds = append(kinds,
			kind{name: "of a login " + (age - age/4).String() + " ago", acr: "aal3", age: age - age/4, mint: ours()},
			kind{name: "of a login " + (age + age/4).String() + " ago", acr: "aal3", age: age + age/4, mint: ours()})
	}
	return kinds
}

// about returns the rule of a kind about what id picks.
func about(k revocation.Kind, id func(caller) string) func(caller) revocation.Rule {
	return func(c caller) revocation.Rule {
		r := revocation.Rule{Kind: k, Issuer: token.CurfewIssuer, ID: id(c), KeepUntil: time.Now().Add(2 * life)}
		switch k {
		case revocation.KindSubjectEpoch:
			r.Epoch = 2
		case revocation.KindSubjectBlock:
			r.Until = r.KeepUntil
		case revocation.KindIssuer:
			r.Issuer = distrustedURL
		}
		return r
	}
}

// tokens mints one token for every kind, set of roles and state of knowledge,
// each with a subject of its own, and revokes those that are to be.
func (w *walk) tokens(t *testing.T, trustsExternal bool) {
	t.Helper()
	w.issuers = newIssuers(t)
	w.verifier = w.issuers.verifier(t, trustsExternal)
	w.source = &source{Source: memory.New(), knows: map[string]knowledge{}}
	w.kinds, w.states = kindsOf(w.declared.ages, trustsExternal), w.declared.states()
	var rules []revocation.Rule
	for _, k := range w.kinds {
		for _, roles := range w.callers() {
			for _, knows := range w.states {
				c := w.mint(t, caller{kind: k, roles: roles, knows: knows, subject: uuid.NewString(), session: uuid.NewString(), jti: uuid.NewString()})
				w.source.knows[c.jti] = knows
				if k.revoked != nil {
					rules = append(rules, k.revoked(c))
				}
				w.minted = append(w.minted, c)
			}
		}
	}
	if _, err := w.source.Revoke(rules...); err != nil {
		t.Fatal(err)
	}
}

// young is a token whose login is about as old as its kind says. On a machine
// with much else to do a walk takes minutes, which turn "3m45s ago" into six.
const young = 20 * time.Second

// mint gives a caller a token of now, which is the same token to whoever revoked it.
func (w *walk) mint(t *testing.T, c caller) caller {
	t.Helper()
	c.raw, c.at = c.kind.mint(t, w.issuers, c), time.Now()
	return c
}
