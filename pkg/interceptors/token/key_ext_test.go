package token_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

func TestKeysThatProveNothingAreRefusedByTheConstructor(t *testing.T) {
	good, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weakRSA := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	hugeRSA := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 8192), E: 65537}
	plainRSA := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 1}
	goodRSA := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}
	offCurve := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)} //nolint:staticcheck // no parser makes such a key
	evenRSA := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 2}
	point := func(s string) ed25519.PublicKey {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, keys := range map[string][]token.Key{
		"none":                            {},
		"HS256 secret of 31 bytes":        {{ID: "k", Algorithm: token.HS256, Public: make([]byte, 31)}},
		"HS256 secret under EdDSA":        {{ID: "k", Algorithm: token.EdDSA, Public: make([]byte, 32)}},
		"Ed25519 under HS256":             {{ID: "k", Algorithm: token.HS256, Public: good}},
		"Ed25519 too short":               {{ID: "k", Algorithm: token.EdDSA, Public: good[:31]}},
		"Ed25519 all zero":                {{ID: "k", Algorithm: token.EdDSA, Public: make(ed25519.PublicKey, 32)}},
		"Ed25519 of order 8":              {{ID: "k", Algorithm: token.EdDSA, Public: point("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")}},
		"Ed25519 of order 8, other sign":  {{ID: "k", Algorithm: token.EdDSA, Public: point("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")}},
		"Ed25519 of order 2":              {{ID: "k", Algorithm: token.EdDSA, Public: point("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")}},
		"P-224":                           {{ID: "k", Algorithm: token.ES256, Public: &p224.PublicKey}},
		"P-256 under ES384":               {{ID: "k", Algorithm: token.ES384, Public: &p256.PublicKey}},
		"P-256 under RS256":               {{ID: "k", Algorithm: token.RS256, Public: &p256.PublicKey}},
		"RSA of 1024 bits":                {{ID: "k", Algorithm: token.RS256, Public: weakRSA}},
		"RSA of 8193 bits":                {{ID: "k", Algorithm: token.RS256, Public: hugeRSA}},
		"RSA whose signature is its text": {{ID: "k", Algorithm: token.RS256, Public: plainRSA}},
		"RSA under ES256":                 {{ID: "k", Algorithm: token.ES256, Public: goodRSA}},
		"a point off the curve":           {{ID: "k", Algorithm: token.ES256, Public: offCurve}},
		"RSA with an even exponent":       {{ID: "k", Algorithm: token.RS256, Public: evenRSA}},
		"none as algorithm":               {{ID: "k", Algorithm: "none", Public: good}},
		"a private key":                   {{ID: "k", Algorithm: token.ES256, Public: p256}},
		"no id":                           {{Algorithm: token.EdDSA, Public: good}},
		"one id twice":                    {{ID: "k", Algorithm: token.EdDSA, Public: good}, {ID: "k", Algorithm: token.EdDSA, Public: good}},
		"no key":                          {{ID: "k", Algorithm: token.EdDSA}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := token.NewStatic(keys...); err == nil {
				t.Error("taken")
			}
		})
	}
	if _, err := token.NewStatic(token.Key{ID: "k", Algorithm: token.HS256, Public: make([]byte, 32)}); err != nil {
		t.Errorf("HS256 secret of 32 bytes: %v", err)
	}
}

// RFC 8725 3.2: confusion in both directions, and the edges of (r, s).
func TestAKeyIsUsedWithItsOneAlgorithmOnly(t *testing.T) {
	f, _ := newForge(t)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewStatic(
		token.Key{ID: "test-key", Algorithm: token.EdDSA, Public: f.issuer.Public()},
		token.Key{ID: "ec", Algorithm: token.ES256, Public: &ec.PublicKey},
	)
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(token.Curfew(f.issuer.URL, keys))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	signed := func(kid string, method jwt.SigningMethod) string {
		text := b64(f.text(f.header(map[string]any{"alg": method.Alg(), "kid": kid}))) + "." + b64(f.text(f.payload(nil)))
		sig, err := method.Sign(text, ec)
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + b64(string(sig))
	}
	good := signed("ec", jwt.SigningMethodES256)
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatalf("the good ES256 token: %v", err)
	}
	head := good[:len(good)-86]
	if _, err := base64.RawURLEncoding.DecodeString(good[len(good)-86:]); err != nil {
		t.Fatal(err)
	}
	order := elliptic.P256().Params().N
	rs := func(r, s *big.Int) string {
		return head + b64(string(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)))
	}
	one, zero := big.NewInt(1), big.NewInt(0)
	der, err := ecdsa.SignASN1(rand.Reader, ec, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	refuseAll(t, v, []hostile{
		{"ES256 token under the id of the Ed25519 key", signed("test-key", jwt.SigningMethodES256), token.ErrMalformed},
		{"EdDSA token under the id of the P-256 key", f.withHeader(map[string]any{"kid": "ec"}), token.ErrMalformed},
		{"r and s are 0 (CVE-2022-21449)", rs(zero, zero), token.ErrMalformed},
		{"r is 0", rs(zero, one), token.ErrMalformed},
		{"s is 0", rs(one, zero), token.ErrMalformed},
		{"r is the order", rs(order, one), token.ErrMalformed},
		{"s is the order", rs(one, order), token.ErrMalformed},
		{"r and s are the order less one", rs(new(big.Int).Sub(order, one), new(big.Int).Sub(order, one)), token.ErrMalformed},
		{"DER instead of r and s", head + b64(string(der)), token.ErrMalformed},
		{"half a signature", good[:len(good)-43], token.ErrMalformed},
	})
}

func TestAProfileThatWouldAdmitTooMuchIsRefused(t *testing.T) {
	f, _ := newForge(t)
	keys := f.issuer.Keys(t)
	for name, change := range map[string]func(*token.Profile){
		"no issuer":                       func(p *token.Profile) { p.Issuer = "" },
		"no keys":                         func(p *token.Profile) { p.Keys = nil },
		"no algorithms":                   func(p *token.Profile) { p.Algorithms = nil },
		"none as algorithm":               func(p *token.Profile) { p.Algorithms = []string{"none"} },
		"no types":                        func(p *token.Profile) { p.Types = nil },
		"neither audience nor party":      func(p *token.Profile) { p.Audiences = nil },
		"a leeway of an hour":             func(p *token.Profile) { p.Leeway = time.Hour },
		"a negative leeway":               func(p *token.Profile) { p.Leeway = -1 },
		"a life without end":              func(p *token.Profile) { p.MaxLife = 0 },
		"roles required, but in no claim": func(p *token.Profile) { p.RolesClaim = nil },
	} {
		p := token.Curfew(f.issuer.URL, keys)
		change(&p)
		if _, err := token.NewVerifier(p); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := token.NewVerifier(token.Curfew(f.issuer.URL, keys), token.OIDC(f.issuer.URL, keys)); err == nil {
		t.Error("two profiles of one issuer: taken")
	}
	if _, err := token.NewVerifier(); err == nil {
		t.Error("no profile: taken")
	}
}
