package token_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

// RFC 8725 3.1, 3.2: the algorithm is a property of the key.
func TestTokensThatChooseTheirAlgorithmAreRefused(t *testing.T) {
	f, v := newForge(t)
	public := []byte(f.issuer.Public())
	spki, err := x509.MarshalPKIXPublicKey(f.issuer.Public())
	if err != nil {
		t.Fatal(err)
	}
	head, body, sig := f.parts()
	table := []hostile{
		{"HS256 with the public key as secret", f.hmacSigned(tokentest.Claims{"alg": "HS256"}, public), token.ErrMalformed},
		{"HS256 with the DER public key as secret", f.hmacSigned(tokentest.Claims{"alg": "HS256"}, spki), token.ErrMalformed},
		{"HS256 with an empty secret", f.hmacSigned(tokentest.Claims{"alg": "HS256"}, nil), token.ErrMalformed},
		{"HMAC under the name EdDSA", f.hmacSigned(nil, public), token.ErrMalformed},
		{"none without signature", b64(f.text(f.header(tokentest.Claims{"alg": "none"}))) + "." + body + ".", token.ErrMalformed},
		{"none with the old signature", b64(f.text(f.header(tokentest.Claims{"alg": "none"}))) + "." + body + "." + sig, token.ErrMalformed},
		{"EdDSA without signature", head + "." + body + ".", token.ErrMalformed},
		{"list of algorithms", f.withHeader(tokentest.Claims{"alg": []string{"EdDSA"}}), token.ErrMalformed},
		{"number as algorithm", f.withHeader(tokentest.Claims{"alg": 1}), token.ErrMalformed},
		{"no algorithm", f.withHeader(tokentest.Claims{"alg": nil}), token.ErrMalformed},
		{"empty algorithm", f.withHeader(tokentest.Claims{"alg": ""}), token.ErrMalformed},
	}
	for _, alg := range []string{"None", "NONE", "nOnE", "eddsa", "EDDSA", "Ed25519", "ES256", "ES256K", "RS256", "PS256", "HS384", "HS512", "EdDSA ", "EdDSA\u0000"} {
		table = append(table, hostile{"signed, but called " + strings.TrimSpace(alg), f.withHeader(tokentest.Claims{"alg": alg}), token.ErrMalformed})
	}
	refuseAll(t, v, table)
}

// RFC 8725 3.10, RFC 7515 4.1: nothing in the header names, carries or fetches
// a key, or changes the meaning of the token.
func TestTokensThatBringTheirKeyAreRefused(t *testing.T) {
	f, v := newForge(t)
	jwk := map[string]string{"kty": "OKP", "crv": "Ed25519", "x": b64(string(f.issuer.Public()))}
	refuseAll(t, v, []hostile{
		{"jku", f.withHeader(tokentest.Claims{"jku": "https://evil.example/jwks.json"}), token.ErrMalformed},
		{"jwk", f.withHeader(tokentest.Claims{"jwk": jwk}), token.ErrMalformed},
		{"x5u", f.withHeader(tokentest.Claims{"x5u": "https://evil.example/cert.pem"}), token.ErrMalformed},
		{"x5c", f.withHeader(tokentest.Claims{"x5c": []string{"MIIB"}}), token.ErrMalformed},
		{"crit", f.withHeader(tokentest.Claims{"crit": []string{"exp"}}), token.ErrMalformed},
		{"empty crit", f.withHeader(tokentest.Claims{"crit": []string{}}), token.ErrMalformed},
		{"b64 false (RFC 7797)", f.withHeader(tokentest.Claims{"b64": false}), token.ErrMalformed},
		{"zip", f.withHeader(tokentest.Claims{"zip": "DEF"}), token.ErrMalformed},
		{"enc", f.withHeader(tokentest.Claims{"enc": "A256GCM"}), token.ErrMalformed},
		{"nested token (cty)", f.withHeader(tokentest.Claims{"cty": "JWT"}), token.ErrMalformed},
		{"null jwk", f.withHeaderText(`"jwk":null`), token.ErrMalformed},
		{"p2c", f.withHeader(tokentest.Claims{"p2c": 1 << 30}), token.ErrMalformed},
	})
}

func TestTokensWithAStrangeKeyIDAreRefused(t *testing.T) {
	f, v := newForge(t)
	var table []hostile
	for name, kid := range map[string]any{
		"unknown": "other", "none": nil, "empty": "", "number": 7, "null": []any{nil}, "path": "../../etc/passwd",
		"sql": "' OR 1=1 --", "quote": `"`, "nul": "test-key\u0000", "space": "test-key ", "line break": "test-key\n",
		"long": strings.Repeat("k", 129), "upper case": "TEST-KEY", "object": map[string]any{"kid": tokentest.KeyID}, "not ASCII": "test‑key",
	} {
		table = append(table, hostile{name, f.withHeader(tokentest.Claims{"kid": kid}), token.ErrMalformed})
	}
	refuseAll(t, v, table)
}

// RFC 8725 3.11, RFC 9068 2.1: explicit typing.
func TestTokensOfAnotherTypeAreRefused(t *testing.T) {
	f, v := newForge(t)
	var table []hostile
	for _, typ := range []any{nil, "", "JWT", "jwt", "id+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "rt+jwt", "at+jwt ", "application/application/at+jwt", "text/at+jwt", 1, []string{"at+jwt"}} {
		table = append(table, hostile{f.text(tokentest.Claims{"typ": typ}), f.withHeader(tokentest.Claims{"typ": typ}), token.ErrMalformed})
	}
	refuseAll(t, v, table)
}

func TestDuplicateHeaderMembersAreRefused(t *testing.T) {
	f, v := newForge(t)
	refuseAll(t, v, []hostile{
		{"alg twice", f.withHeaderText(`"alg":"none"`), token.ErrMalformed},
		{"kid twice", f.withHeaderText(`"kid":"other"`), token.ErrMalformed},
		{"typ twice, the same", f.withHeaderText(`"typ":"at+jwt"`), token.ErrMalformed},
		{"alg twice, one escaped", f.withHeaderText(`"\u0061lg":"none"`), token.ErrMalformed},
		{"unknown member twice", f.withHeaderText(`"x":1,"x":2`), token.ErrMalformed},
	})
}
