package servicetoken_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/servicetoken"
)

const audience = "https://auth.curfew.dev"

var now = time.Unix(1_800_000_000, 0)

func private(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
}

func public(seed byte) []byte { return private(seed).Public().(ed25519.PublicKey) }

func verifier(t testing.TB) *servicetoken.Verifier {
	t.Helper()
	list, err := json.Marshal([]map[string]any{
		{"service": "orders", "kid": "o1", "public_key": public('o')},
		{"service": "logproc", "kid": "l1", "public_key": public('l')},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := servicetoken.ParseRegistry(list)
	if err != nil {
		t.Fatal(err)
	}
	return servicetoken.NewVerifier(r, audience, func() time.Time { return now })
}

// good is what a well-behaved orders sends.
func good() (header map[string]any, claims jwt.MapClaims) {
	return map[string]any{"kid": "o1"}, jwt.MapClaims{
		"iss": "services/orders", "sub": "services/orders", "aud": audience, "jti": "0123456789abcdef",
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
}

func sign(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	tok := jwt.NewWithClaims(method, claims)
	maps.Copy(tok.Header, header)
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnAssertionOfARegisteredServiceIsAccepted(t *testing.T) {
	header, claims := good()
	a, err := verifier(t).Verify(sign(t, jwt.SigningMethodEdDSA, private('o'), header, claims))
	if err != nil || a.Service != "orders" || a.ID != "0123456789abcdef" || !a.ExpiresAt.Equal(now.Add(time.Minute)) {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestEveryOtherAssertionIsRefused(t *testing.T) {
	type change = func(header map[string]any, claims jwt.MapClaims)
	for what, f := range map[string]change{
		"another audience":         func(_ map[string]any, c jwt.MapClaims) { c["aud"] = "https://example.com" },
		"no audience":              func(_ map[string]any, c jwt.MapClaims) { delete(c, "aud") },
		"no exp":                   func(_ map[string]any, c jwt.MapClaims) { delete(c, "exp") },
		"expired":                  func(_ map[string]any, c jwt.MapClaims) { c["exp"] = now.Add(-time.Minute).Unix() },
		"a day long":               func(_ map[string]any, c jwt.MapClaims) { c["exp"] = now.Add(24 * time.Hour).Unix() },
		"made long ago":            func(_ map[string]any, c jwt.MapClaims) { c["iat"] = now.Add(-10 * time.Minute).Unix() },
		"of the future":            func(_ map[string]any, c jwt.MapClaims) { c["iat"] = now.Add(time.Hour).Unix() },
		"no iat":                   func(_ map[string]any, c jwt.MapClaims) { delete(c, "iat") },
		"no jti":                   func(_ map[string]any, c jwt.MapClaims) { delete(c, "jti") },
		"a short jti":              func(_ map[string]any, c jwt.MapClaims) { c["jti"] = "1" },
		"a long jti":               func(_ map[string]any, c jwt.MapClaims) { c["jti"] = strings.Repeat("x", 200) },
		"a NUL in jti":             func(_ map[string]any, c jwt.MapClaims) { c["jti"] = "0123456789abcdef\x00" },
		"another's subject":        func(_ map[string]any, c jwt.MapClaims) { c["sub"] = "services/logproc" },
		"another service's name":   func(_ map[string]any, c jwt.MapClaims) { c["iss"], c["sub"] = "services/logproc", "services/logproc" },
		"a user's name":            func(_ map[string]any, c jwt.MapClaims) { c["iss"], c["sub"] = "orders", "orders" },
		"an unknown kid":           func(h map[string]any, _ jwt.MapClaims) { h["kid"] = "o2" },
		"no kid":                   func(h map[string]any, _ jwt.MapClaims) { delete(h, "kid") },
		"a kid that is no string":  func(h map[string]any, _ jwt.MapClaims) { h["kid"] = 1 },
		"the type of access token": func(h map[string]any, _ jwt.MapClaims) { h["typ"] = "at+jwt" },
	} {
		header, claims := good()
		f(header, claims)
		if _, err := verifier(t).Verify(sign(t, jwt.SigningMethodEdDSA, private('o'), header, claims)); !errors.Is(err, servicetoken.ErrAssertionInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	header, claims := good()
	for what, raw := range map[string]string{
		"another's key":              sign(t, jwt.SigningMethodEdDSA, private('l'), header, claims),
		"none":                       sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, header, claims),
		"HS256 with the public key":  sign(t, jwt.SigningMethodHS256, public('o'), header, claims),
		"nothing":                    "",
		"a cut signature":            strings.TrimRight(sign(t, jwt.SigningMethodEdDSA, private('o'), header, claims), "ABCDEFGHIJKLMNOPQRSTUVWXYZ")[:120],
		"something else than base64": "a.b!.c",
	} {
		if _, err := verifier(t).Verify(raw); !errors.Is(err, servicetoken.ErrAssertionInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAFileOfServiceKeysIsReadStrictly(t *testing.T) {
	for what, content := range map[string]string{
		"no JSON":          "orders",
		"an object":        "{}",
		"a short key":      `[{"service":"orders","kid":"1","public_key":"AAAA"}]`,
		"a name of a path": `[{"service":"orders/x","kid":"1","public_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]`,
		"no kid":           `[{"service":"orders","public_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]`,
		"the same kid twice": `[{"service":"orders","kid":"1","public_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
			{"service":"orders","kid":"1","public_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]`,
	} {
		if _, err := servicetoken.ParseRegistry([]byte(content)); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}

func FuzzVerifyAcceptsNothingUnsigned(f *testing.F) {
	header, claims := good()
	valid := sign(f, jwt.SigningMethodEdDSA, private('o'), header, claims)
	f.Add(valid)
	f.Add("..")
	f.Add(valid + ".")
	v := verifier(f)
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := v.Verify(raw); err == nil && raw != valid {
			t.Fatalf("%q was accepted", raw)
		}
	})
}

// used is a store that has seen everything.
type used struct{}

func (used) UseAssertion(context.Context, string, string, time.Time) (bool, error) { return false, nil }

func TestAnAssertionThatWasUsedBeforeIsRefused(t *testing.T) {
	header, claims := good()
	e := servicetoken.NewExchange(verifier(t), nil, used{}, nil, func() time.Time { return now })
	_, _, err := e.Issue(t.Context(), sign(t, jwt.SigningMethodEdDSA, private('o'), header, claims))
	if !errors.Is(err, servicetoken.ErrAssertionInvalid) {
		t.Errorf("err = %v", err)
	}
}
