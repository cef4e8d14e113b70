package token_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// fuzzKey is fixed, so that the committed corpus stays meaningful.
var fuzzKey = ed25519.NewKeyFromSeed([]byte("a seed for fuzzing, no secret!!!"))

func fuzzVerifier(f *testing.F) *token.Verifier {
	f.Helper()
	keys, err := token.NewStatic(token.Key{ID: "k", Algorithm: token.EdDSA, Public: fuzzKey.Public()})
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	v, err := token.Options{Now: func() time.Time { return now }}.NewVerifier(token.Curfew("https://fuzz", keys))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(v.Close)
	return v
}

func sign(header, payload string) string {
	signed := b64(header) + "." + b64(payload)
	return signed + "." + b64(string(ed25519.Sign(fuzzKey, []byte(signed))))
}

const (
	fuzzHeader  = `{"alg":"EdDSA","typ":"at+jwt","kid":"k"}`
	fuzzPayload = `{"iss":"https://fuzz","aud":"curfew","sub":"u1","sid":"s","jti":"j","epoch":1,"roles":["r"],"acr":"aal1","auth_time":1799999999,"iat":1799999999,"nbf":1799999999,"exp":1800000299}`
)

// known are the errors that Verify may return.
func known(err error) bool {
	for _, e := range []error{token.ErrMalformed, token.ErrExpired, token.ErrWrongAudience, token.ErrKeysUnavailable} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// FuzzVerify feeds any text: only the one text of a signed token may pass.
func FuzzVerify(f *testing.F) {
	good := sign(fuzzHeader, fuzzPayload)
	f.Add(good)
	f.Add(strings.ToUpper(good))
	f.Add(good[:len(good)-1])
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	v := fuzzVerifier(f)
	f.Fuzz(func(t *testing.T, raw string) {
		id, err := v.Verify(t.Context(), raw)
		if (id == nil) == (err == nil) || (err != nil && !known(err)) {
			t.Fatalf("got %v, %v", id, err)
		}
		if id != nil && raw != good {
			t.Fatalf("a second text was accepted: %q", raw)
		}
	})
}

// FuzzSigned signs any header and payload: what passes must be read by
// encoding/json in the same way.
func FuzzSigned(f *testing.F) {
	f.Add(fuzzHeader, fuzzPayload)
	f.Add(fuzzHeader, strings.Replace(fuzzPayload, `"u1"`, `"u1","sub":"u2"`, 1))
	f.Add(strings.Replace(fuzzHeader, "EdDSA", "none", 1), fuzzPayload)
	f.Add(fuzzHeader, strings.Replace(fuzzPayload, "1800000299", "1.8e9", 1))
	f.Add(fuzzHeader, strings.Replace(fuzzPayload, `"u1"`, `"users/u1"`, 1))
	v := fuzzVerifier(f)
	f.Fuzz(func(t *testing.T, header, payload string) {
		id, err := v.Verify(t.Context(), sign(header, payload))
		if (id == nil) == (err == nil) || (err != nil && !known(err)) {
			t.Fatalf("got %v, %v", id, err)
		}
		if id == nil {
			return
		}
		var claims struct {
			Sub string `json:"sub"`
			Exp int64  `json:"exp"`
		}
		if err := json.Unmarshal([]byte(payload), &claims); err != nil || claims.Sub != id.Subject || claims.Exp != id.ExpiresAt.Unix() {
			t.Fatalf("read as %+v, encoding/json reads %+v, %v", id, claims, err)
		}
		if strings.Contains(strings.TrimPrefix(id.Subject, "services/"), "/") {
			t.Fatalf("subject %q", id.Subject)
		}
	})
}

// FuzzParseSet feeds any key set: what passes is usable.
func FuzzParseSet(f *testing.F) {
	x := base64.RawURLEncoding.EncodeToString(fuzzKey.Public().(ed25519.PublicKey))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"` + x + `"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"k","n":"AQAB","e":"AQAB"},null,1]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","kid":"k","k":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := token.ParseSet(data)
		if (len(keys) == 0) != (err != nil) {
			t.Fatalf("got %v, %v", keys, err)
		}
		if err == nil {
			if _, err := token.NewStatic(keys...); err != nil {
				t.Fatalf("an unusable key passed: %v", err)
			}
		}
	})
}
