package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

func jwk(issuer *tokentest.Issuer, kid string) string {
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":%q,"x":%q}`, kid, b64(string(issuer.Public())))
}

func set(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }

func TestJunkInAKeySetHarmsNobodyElse(t *testing.T) {
	issuer := tokentest.New(t)
	good := jwk(issuer, "good")
	for name, junk := range map[string]string{
		"a number":               `1`,
		"null":                   `null`,
		"an empty object":        `{}`,
		"an unknown type":        `{"kty":"XYZ","kid":"x"}`,
		"Ed448":                  `{"kty":"OKP","crv":"Ed448","kid":"x","x":"AAAA"}`,
		"X25519":                 `{"kty":"OKP","crv":"X25519","kid":"x","x":"` + b64(string(make([]byte, 32))) + `"}`,
		"a symmetric key":        `{"kty":"oct","alg":"HS256","kid":"x","k":"` + b64(strings.Repeat("k", 64)) + `"}`,
		"a key for encryption":   strings.Replace(jwk(issuer, "x"), `"sig"`, `"enc"`, 1),
		"a key without id":       strings.Replace(jwk(issuer, "x"), `"kid":"x",`, ``, 1),
		"a key of small order":   `{"kty":"OKP","crv":"Ed25519","kid":"x","x":"` + b64(string(make([]byte, 32))) + `"}`,
		"a wrong algorithm":      strings.Replace(jwk(issuer, "x"), `EdDSA`, `RS256`, 1),
		"a short key":            `{"kty":"OKP","crv":"Ed25519","kid":"x","x":"AAAA"}`,
		"a point off the curve":  `{"kty":"EC","crv":"P-256","kid":"x","x":"` + b64(strings.Repeat("a", 32)) + `","y":"` + b64(strings.Repeat("b", 32)) + `"}`,
		"a small RSA key":        `{"kty":"RSA","kid":"x","n":"` + b64(strings.Repeat("\xff", 64)) + `","e":"AQAB"}`,
		"an RSA key with e of 1": `{"kty":"RSA","kid":"x","n":"` + b64(strings.Repeat("\xff", 256)) + `","e":"AQ"}`,
		"one id twice":           jwk(issuer, "x") + "," + jwk(tokentest.New(t), "x"),
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := token.ParseSet(set(junk, good))
			if err != nil || len(keys) != 1 || keys[0].ID != "good" {
				t.Errorf("got %v, %v", keys, err)
			}
			if _, err := token.ParseSet(set(junk)); err == nil {
				t.Error("a set of junk only was taken")
			}
		})
	}
}

func TestKeySetsThatAreNoneAreRefused(t *testing.T) {
	issuer := tokentest.New(t)
	var many []string
	for i := range 101 {
		many = append(many, jwk(issuer, fmt.Sprint(i)))
	}
	if keys, err := token.ParseSet(set(many[:100]...)); err != nil || len(keys) != 100 {
		t.Errorf("100 keys: %d, %v", len(keys), err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "html": []byte("<html>"), "array": []byte("[]"), "no keys": []byte(`{}`), "keys are text": []byte(`{"keys":"x"}`),
		"101 keys": set(many...), "too long": append(set(jwk(issuer, "k")), strings.Repeat(" ", 256<<10)...),
	} {
		if _, err := token.ParseSet(data); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Many providers leave `alg` out.
func TestAKeyThatNamesNoAlgorithmHasTheOneOfItsKind(t *testing.T) {
	ed := strings.Replace(jwk(tokentest.New(t), "ed"), `"alg":"EdDSA",`, ``, 1)
	keys, err := token.ParseSet(set(ed, curve(t, elliptic.P256()), curve(t, elliptic.P384()),
		`{"kty":"RSA","kid":"rsa","n":"`+b64(strings.Repeat("\xff", 256))+`","e":"AQAB"}`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, k := range keys {
		got[k.ID] = k.Algorithm
	}
	want := map[string]string{"ed": token.EdDSA, "P-256": token.ES256, "P-384": token.ES384, "rsa": token.RS256}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func curve(t *testing.T, c elliptic.Curve) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	half := len(point) / 2
	return fmt.Sprintf(`{"kty":"EC","crv":%q,"kid":%[1]q,"x":%q,"y":%q}`, c.Params().Name, b64(string(point[1:1+half])), b64(string(point[1+half:])))
}
