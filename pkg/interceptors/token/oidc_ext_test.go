package token_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

const external = "https://clerk.example.org"

// externalPayload is what Clerk puts into a session token: azp and no aud.
func (f forge) externalPayload(change tokentest.Claims) tokentest.Claims {
	return merged(tokentest.Claims{
		"iss": external, "azp": "https://shop.example.org", "sub": "user_2abc", "sid": "sess_1", "iat": f.now, "nbf": f.now, "exp": f.now + 60,
		"realm_access": map[string]any{"roles": []string{"customer"}}, "fva": []int{1, -1}, "v": 2,
	}, change)
}

func oidc(t *testing.T, f forge) *token.Verifier {
	t.Helper()
	p := token.OIDC(external, f.issuer.Keys(t))
	p.AuthorizedParties = []string{"https://shop.example.org"}
	p.RolesClaim = []string{"realm_access", "roles"}
	v, err := token.NewVerifier(p, token.Curfew(f.issuer.URL, f.issuer.Keys(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func TestAnExternalIssuerHasItsOwnProfile(t *testing.T) {
	f, _ := newForge(t)
	v := oidc(t, f)
	id, err := v.Verify(t.Context(), f.issuer.Sign(t, f.header(tokentest.Claims{"typ": "JWT"}), f.externalPayload(nil)))
	if err != nil {
		t.Fatal(err)
	}
	if id.Issuer != external || id.Subject != "user_2abc" || !slices.Equal(id.Roles, []string{"customer"}) || id.Epoch != 0 || !id.AuthTime.IsZero() {
		t.Errorf("got %+v", id)
	}
	if _, err := v.Verify(t.Context(), f.withClaims(nil)); err != nil {
		t.Errorf("our own issuer beside it: %v", err)
	}
}

func TestIDAndRefreshTokensOfAnExternalIssuerAreRefused(t *testing.T) {
	f, _ := newForge(t)
	v := oidc(t, f)
	for name, tc := range map[string]struct {
		typ    any
		change tokentest.Claims
		err    error
	}{
		"nonce of an ID token":     {"JWT", tokentest.Claims{"nonce": "n"}, token.ErrMalformed},
		"at_hash of an ID token":   {"JWT", tokentest.Claims{"at_hash": "h"}, token.ErrMalformed},
		"Keycloak's ID token":      {"JWT", tokentest.Claims{"typ": "ID"}, token.ErrMalformed},
		"Keycloak's refresh token": {"JWT", tokentest.Claims{"typ": "Refresh"}, token.ErrMalformed},
		"Keycloak's offline token": {"JWT", tokentest.Claims{"typ": "Offline"}, token.ErrMalformed},
		"Cognito's ID token":       {"JWT", tokentest.Claims{"token_use": "id"}, token.ErrMalformed},
		"a logout token":           {"logout+jwt", nil, token.ErrMalformed},
		"a logout token untyped":   {"JWT", tokentest.Claims{"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}, token.ErrMalformed},
		"bound to a key (DPoP)":    {"at+jwt", tokentest.Claims{"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, token.ErrMalformed},
		"bound to a certificate":   {"at+jwt", tokentest.Claims{"cnf": map[string]any{"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}, token.ErrMalformed},
		"no type":                  {nil, nil, token.ErrMalformed},
		"another authorized party": {"JWT", tokentest.Claims{"azp": "https://evil.example"}, token.ErrWrongAudience},
		"no authorized party":      {"JWT", tokentest.Claims{"azp": nil}, token.ErrMalformed},
		"a service of ours":        {"JWT", tokentest.Claims{"sub": "services/orders"}, token.ErrMalformed},
		"roles that are no list":   {"JWT", tokentest.Claims{"realm_access": map[string]any{"roles": "admin"}}, token.ErrMalformed},
		"roles under a list":       {"JWT", tokentest.Claims{"realm_access": []string{"roles"}}, token.ErrMalformed},
		"our issuer, their claims": {"at+jwt", tokentest.Claims{"iss": token.CurfewIssuer}, token.ErrMalformed},
		"no end":                   {"JWT", tokentest.Claims{"exp": nil}, token.ErrMalformed},
		"longer than a day":        {"JWT", tokentest.Claims{"exp": f.now + 86401}, token.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			raw := f.issuer.Sign(t, f.header(tokentest.Claims{"typ": tc.typ}), f.externalPayload(tc.change))
			if id, err := v.Verify(t.Context(), raw); id != nil || !errors.Is(err, tc.err) {
				t.Errorf("got %v, %v", id, err)
			}
		})
	}
}

func TestWhoActsForTheSubjectIsRefusedOnlyIfTheProfileSaysSo(t *testing.T) {
	f, _ := newForge(t)
	p := token.OIDC(external, f.issuer.Keys(t))
	p.AuthorizedParties = []string{"https://shop.example.org"}
	raw := f.issuer.Sign(t, f.header(tokentest.Claims{"typ": "JWT"}), f.externalPayload(tokentest.Claims{"act": map[string]any{"sub": "support"}}))
	for noActors, want := range map[bool]error{false: nil, true: token.ErrMalformed} {
		p.NoActors = noActors
		v, err := token.NewVerifier(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		if _, err := v.Verify(t.Context(), raw); !errors.Is(err, want) {
			t.Errorf("no actors %t: %v", noActors, err)
		}
	}
}

func TestOpaqueSubjectsMayBePathsAndAreStillFitForALine(t *testing.T) {
	f, _ := newForge(t)
	p := token.OIDC(external, f.issuer.Keys(t))
	p.AuthorizedParties = []string{"https://shop.example.org"}
	named, err := token.NewVerifier(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(named.Close)
	p.OpaqueSubjects = true
	opaque, err := token.NewVerifier(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opaque.Close)
	for sub, good := range map[string]struct{ opaque, named bool }{
		"user_2abc":                   {true, true},
		"auth0|abc@example.org":       {true, true},
		"spiffe://shop.example.org/a": {true, false},
		"-":                           {true, false},
		strings.Repeat("s", 128):      {true, true},
		strings.Repeat("s", 255):      {true, false},
		strings.Repeat("s", 256):      {},
		"services/orders":             {},
		"a b":                         {},
		"a\nb":                        {},
		"":                            {},
	} {
		raw := f.issuer.Sign(t, f.header(tokentest.Claims{"typ": "JWT"}), f.externalPayload(tokentest.Claims{"sub": sub}))
		if _, err := opaque.Verify(t.Context(), raw); (err == nil) != good.opaque {
			t.Errorf("%.30q, opaque: %v", sub, err)
		}
		if _, err := named.Verify(t.Context(), raw); (err == nil) != good.named {
			t.Errorf("%.30q, a name: %v", sub, err)
		}
	}
	curfew := token.Curfew(f.issuer.URL, f.issuer.Keys(t))
	curfew.OpaqueSubjects = true
	if _, err := token.NewVerifier(curfew); err == nil {
		t.Error("an issuer of our own has opaque subjects")
	}
}
