package external_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
	"github.com/curfew-platform/curfew/services/auth/internal/external"
)

func TestATokenSaysWhoSomebodyIsAtItsIssuer(t *testing.T) {
	p := newProvider(t)
	now := time.Now().Truncate(time.Second)
	end := time.Unix(now.Unix()+300, 0)
	for what, tc := range map[string]struct {
		more   string
		change tokentest.Claims
		want   external.Claim
	}{
		"as little as a token may say": {"", nil, external.Claim{Subject: "user-1"}},
		"as much as is looked at": {
			`,"provision":true`,
			tokentest.Claims{"sid": "s1", "auth_time": now.Unix() - 60, "jti": "j1", "nbf": now.Unix(), "azp": "app", "scope": "all", "acr": "aal9", "roles": []string{"admin"}},
			external.Claim{Subject: "user-1", SessionID: "s1", AuthTime: now.Add(-time.Minute), Provision: true},
		},
		"a subject that is a path": {"", tokentest.Claims{"sub": "spiffe://shop.example/ns/a|b@c"}, external.Claim{Subject: "spiffe://shop.example/ns/a|b@c"}},
		"the longest subject":      {"", tokentest.Claims{"sub": strings.Repeat("s", 255)}, external.Claim{Subject: strings.Repeat("s", 255)}},
		"several audiences":        {"", tokentest.Claims{"aud": []string{"other", audience}}, external.Claim{Subject: "user-1"}},
		"our audience and party":   {`,"authorized_parties":["app"]`, tokentest.Claims{"azp": "app"}, external.Claim{Subject: "user-1"}},
		"a day long, as allowed":   {`,"max_life":"24h"`, tokentest.Claims{"iat": end.Unix() - 86400, "exp": end.Unix()}, external.Claim{Subject: "user-1"}},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := open(t, p.entry(t, tc.more)).Verify(t.Context(), p.token(t, tc.change))
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Issuer = p.URL
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryOtherTokenIsRefusedWithoutBeingShown(t *testing.T) {
	p := newProvider(t)
	issuers := open(t, p.entry(t, `,"authorized_parties":["app"]`))
	now := time.Now().Unix()
	for what, change := range map[string]tokentest.Claims{
		"for nobody":               {"aud": nil},
		"for somebody else":        {"aud": "https://other.example"},
		"for a prefix of us":       {"aud": audience[:len(audience)-1]},
		"of no party":              {"azp": nil},
		"of another party":         {"azp": "other"},
		"of another issuer":        {"iss": "https://other.example"},
		"of the issuer with /":     {"iss": p.URL + "/"},
		"of no issuer":             {"iss": nil},
		"of nobody":                {"sub": nil},
		"of an empty subject":      {"sub": ""},
		"of a number":              {"sub": 7},
		"with a line break":        {"sub": "user\n1"},
		"with a NUL":               {"sub": "user\x001"},
		"with an escape sequence":  {"sub": "\x1b[31muser"},
		"with a space":             {"sub": "user 1"},
		"with a letter past ASCII": {"sub": "us\u0435r"},
		"of a service of ours":     {"sub": "services/orders"},
		"of 256 bytes":             {"sub": strings.Repeat("s", 256)},
		"with a bad sid":           {"sid": "a\nb"},
		"for ever":                 {"exp": nil},
		"of no time":               {"iat": nil},
		"over":                     {"iat": now - 700, "exp": now - 100},
		"longer than an hour":      {"iat": now, "exp": now + 3601},
		"of the future":            {"iat": now + 120, "exp": now + 300},
		"not yet":                  {"nbf": now + 120},
		"authenticated tomorrow":   {"auth_time": now + 86400},
		"authenticated at a float": {"auth_time": 1.5},
		"an ID token":              {"nonce": "n"},
		"an ID token of a code":    {"at_hash": "h"},
		"Keycloak's ID token":      {"typ": "ID"},
		"Keycloak's refresh token": {"typ": "Refresh"},
		"Keycloak's offline token": {"typ": "Offline"},
		"an untyped logout token":  {"events": map[string]any{}},
		"bound to a key":           {"cnf": map[string]any{"jkt": "k"}},
		"an impersonator's":        {"act": map[string]any{"sub": "support"}},
		"Cognito's ID token":       {"token_use": "id"},
		"Cognito's refresh token":  {"token_use": "refresh"},
	} {
		claims := tokentest.Claims{"azp": "app"}
		maps.Copy(claims, change)
		refused(t, issuers, what, p.token(t, claims))
	}
	good := p.claims(tokentest.Claims{"azp": "app"})
	header := func(name string, value any) tokentest.Claims {
		h := tokentest.Claims{"alg": "EdDSA", "typ": "at+jwt", "kid": p.kid}
		if h[name] = value; value == nil {
			delete(h, name)
		}
		return h
	}
	for what, head := range map[string]tokentest.Claims{
		"a logout token": header("typ", "logout+jwt"), "a secevent": header("typ", "secevent+jwt"), "no type": header("typ", nil),
		"none": header("alg", "none"), "HS256": header("alg", "HS256"), "the algorithm of another key": header("alg", "ES256"),
		"no key": header("kid", nil), "keys of its own": header("jku", "https://other.example/keys"),
	} {
		refused(t, issuers, what, p.key.Sign(t, head, good))
	}
	for what, raw := range map[string]string{
		"nothing": "", "text": "token", "three parts": "a.b.c", "too much": strings.Repeat("a", 1<<20),
		"a signature of somebody else": tokentest.New(t).Sign(t, header("", ""), good),
		"a payload that is a list":     p.key.SignText(`{"alg":"EdDSA","typ":"at+jwt","kid":"one"}`, `["iss"]`),
		"two subjects":                 p.key.SignText(`{"alg":"EdDSA","typ":"at+jwt","kid":"one"}`, `{"sub":"a",`+text(t, good)[1:]),
	} {
		refused(t, issuers, what, raw)
	}
	if _, err := issuers.Verify(t.Context(), p.token(t, tokentest.Claims{"azp": "app"})); err != nil {
		t.Errorf("the good token: %v", err)
	}
}

func text(t *testing.T, claims tokentest.Claims) string {
	t.Helper()
	data, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func refused(t *testing.T, issuers *external.Issuers, what, raw string) {
	t.Helper()
	got, err := issuers.Verify(t.Context(), raw)
	if !errors.Is(err, external.ErrRefused) || errors.Is(err, external.ErrUnavailable) || got != (external.Claim{}) {
		t.Errorf("%s: %+v, %v", what, got, err)
		return
	}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("%s: the error shows a part of the token: %v", what, err)
		}
	}
}

func TestTheLogSaysWhyATokenIsRefusedAndShowsNothingOfIt(t *testing.T) {
	p := newProvider(t)
	var log bytes.Buffer
	issuers := openWith(t, slog.NewTextHandler(&log, nil), p.entry(t, ""))
	for change, why := range map[string]string{"aud": "malformed: aud", "sub": "sub", "iss": "unknown issuer"} {
		log.Reset()
		raw := p.token(t, tokentest.Claims{change: "a secret of/somebody"})
		refused(t, issuers, change, raw)
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, why) || strings.Contains(got, "secret") || strings.Contains(got, raw[:20]) {
			t.Errorf("%s: %q", change, got)
		}
	}
	log.Reset()
	if _, err := issuers.Verify(t.Context(), p.token(t, nil)); err != nil || log.Len() > 0 {
		t.Errorf("%v, %q", err, log.String())
	}
}

// Clerk signs tokens for other services with the key of those of its sessions.
func TestATokenWithoutASessionIsRefusedIfItsIssuerSignsSuchForOthers(t *testing.T) {
	p := newProvider(t)
	issuers := open(t, p.entry(t, `,"require_sid":true`))
	refused(t, issuers, "no sid", p.token(t, nil))
	refused(t, issuers, "an empty sid", p.token(t, tokentest.Claims{"sid": ""}))
	if got, err := issuers.Verify(t.Context(), p.token(t, tokentest.Claims{"sid": "s1"})); err != nil || got.SessionID != "s1" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTheKeyOfOneIssuerIsNoKeyOfAnother(t *testing.T) {
	one, two := newProvider(t), newProvider(t)
	issuers := open(t, one.entry(t, ""), two.entry(t, `,"provision":true`))
	// Both name their key alike.
	for p, provision := range map[*provider]bool{one: false, two: true} {
		got, err := issuers.Verify(t.Context(), p.token(t, nil))
		if err != nil || got.Issuer != p.URL || got.Provision != provision {
			t.Errorf("%+v, %v", got, err)
		}
	}
	refused(t, issuers, "the first speaks for the second", one.token(t, tokentest.Claims{"iss": two.URL}))
	one.rotate(t, "other")
	issuers = open(t, one.entry(t, ""), two.entry(t, "")) // which has not asked the second yet, and need not wait
	refused(t, issuers, "the first speaks for the second, with a key that the second does not have", one.token(t, tokentest.Claims{"iss": two.URL}))
}

func TestAnOutageOfAnIssuerRefusesNobodyWhoseKeyIsKnownAndJudgesNobodyElse(t *testing.T) {
	up, down := newProvider(t), newProvider(t)
	issuers := open(t, up.entry(t, ""), down.entry(t, ""))
	down.turn(true)
	if _, err := issuers.Verify(t.Context(), down.token(t, nil)); !errors.Is(err, external.ErrUnavailable) || errors.Is(err, external.ErrRefused) {
		t.Errorf("before a key was seen: %v", err)
	}
	if _, err := issuers.Verify(t.Context(), up.token(t, nil)); err != nil {
		t.Errorf("the other issuer: %v", err)
	}
	up.turn(true)
	if _, err := issuers.Verify(t.Context(), up.token(t, tokentest.Claims{"sub": "user-2"})); err != nil {
		t.Errorf("a new token under a known key: %v", err)
	}
	refused(t, issuers, "for somebody else, in the outage", up.token(t, tokentest.Claims{"aud": "other"}))
}

func TestInventedKeyIDsAreAskedForOnce(t *testing.T) {
	p := newProvider(t)
	issuers := open(t, p.entry(t, ""))
	invented := func(n int) string {
		return p.key.Sign(t, tokentest.Claims{"alg": "EdDSA", "typ": "at+jwt", "kid": fmt.Sprint("invented-", n)}, p.claims(nil))
	}
	begin := time.Now()
	refused(t, issuers, "an unknown key", invented(0))
	// The provider may have made them meanwhile. They would wait, had they the time.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for n := range 50 {
		if _, err := issuers.Verify(ctx, invented(n)); !errors.Is(err, external.ErrUnavailable) && !errors.Is(err, external.ErrRefused) {
			t.Errorf("an invented key: %v", err)
		}
	}
	const pause = 5 * time.Second
	if most := 1 + int(time.Since(begin)/pause); p.asked > most {
		t.Errorf("asked %d times", p.asked)
	}
}

func TestAnExchangeWaitsNoLongerThanItsCallForKeys(t *testing.T) {
	p := newProvider(t)
	issuers := open(t, p.entry(t, ""))
	p.mu.Lock() // the provider does not answer
	defer p.mu.Unlock()
	raw := p.token(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := issuers.Verify(ctx, raw); !errors.Is(err, external.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
