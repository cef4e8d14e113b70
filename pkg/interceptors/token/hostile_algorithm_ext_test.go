package token_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// family is one issuer with a key of every kind, all algorithms allowed.
type family struct {
	f       forge
	v       *token.Verifier
	rsa     *rsa.PrivateKey
	ec      *ecdsa.PrivateKey
	secret  []byte
	methods map[string]jwt.SigningMethod
}

func newFamily(t *testing.T) *family {
	t.Helper()
	f, _ := newForge(t)
	m := &family{f: f, secret: []byte("a secret of thirty-two bytes, ok")}
	var err error
	if m.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if m.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewStatic(
		token.Key{ID: "ed", Algorithm: token.EdDSA, Public: f.issuer.Public()},
		token.Key{ID: "ec", Algorithm: token.ES256, Public: &m.ec.PublicKey},
		token.Key{ID: "rs", Algorithm: token.RS256, Public: &m.rsa.PublicKey},
		token.Key{ID: "ps", Algorithm: token.PS256, Public: &m.rsa.PublicKey},
		token.Key{ID: "hs", Algorithm: token.HS256, Public: m.secret},
	)
	if err != nil {
		t.Fatal(err)
	}
	p := token.Curfew(f.issuer.URL, keys)
	p.Algorithms = []string{token.EdDSA, token.ES256, token.RS256, token.PS256, token.HS256}
	if m.v, err = token.NewVerifier(p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.v.Close)
	m.methods = map[string]jwt.SigningMethod{
		token.ES256: jwt.SigningMethodES256, token.RS256: jwt.SigningMethodRS256, token.PS256: jwt.SigningMethodPS256, token.HS256: jwt.SigningMethodHS256,
	}
	return m
}

// ownKeys are the ids of the keys by their algorithm.
var ownKeys = map[string]string{token.EdDSA: "ed", token.ES256: "ec", token.RS256: "rs", token.PS256: "ps", token.HS256: "hs"}

// text is what a signature covers.
func (m *family) text(alg, kid string) string {
	return b64(m.f.text(m.f.header(map[string]any{"alg": alg, "kid": kid}))) + "." + b64(m.f.text(m.f.payload(nil)))
}

// signed is a token with an algorithm, under the id of a key.
func (m *family) signed(t *testing.T, alg, kid string) string {
	t.Helper()
	if alg == token.EdDSA {
		return m.f.withHeader(map[string]any{"kid": kid})
	}
	var key any = m.secret
	switch alg {
	case token.ES256:
		key = m.ec
	case token.RS256, token.PS256:
		key = m.rsa
	}
	text := m.text(alg, kid)
	sig, err := m.methods[alg].Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(string(sig))
}

// The algorithm belongs to the key: every other one is refused under its id,
// though the signature is genuine and the algorithm allowed.
func TestEveryAlgorithmIsRefusedUnderTheKeyOfEveryOther(t *testing.T) {
	m := newFamily(t)
	var table []hostile
	for alg, key := range ownKeys {
		if _, err := m.v.Verify(t.Context(), m.signed(t, alg, key)); err != nil {
			t.Errorf("%s under its own key: %v", alg, err)
		}
		for _, other := range ownKeys {
			if other != key {
				table = append(table, hostile{alg + " under the key " + other, m.signed(t, alg, other), token.ErrMalformed})
			}
		}
	}
	refuseAll(t, m.v, table)
}

// RFC 8725 3.3 and 3.4: whatever stands where a signature should, for every
// kind of key.
func TestSignaturesThatAreNoneAreRefusedForEveryAlgorithm(t *testing.T) {
	m := newFamily(t)
	var table []hostile
	for alg, kid := range ownKeys {
		good := m.signed(t, alg, kid)
		dot := strings.LastIndexByte(good, '.') + 1
		text, raw := good[:dot], unb64(t, good[dot:])
		flipped := bytes.Clone(raw)
		flipped[len(flipped)/2] ^= 0x10
		for name, signature := range map[string][]byte{
			"empty": nil, "one byte": {1}, "zeros": make([]byte, len(raw)), "ones": bytes.Repeat([]byte{0xff}, len(raw)),
			"a bit flipped": flipped, "the first byte missing": raw[1:], "the last byte missing": raw[:len(raw)-1],
			"a byte more": append(bytes.Clone(raw), 0), "a zero before": append([]byte{0}, raw...), "twice": append(bytes.Clone(raw), raw...),
			"reversed": reversed(raw), "a kilobyte": make([]byte, 1<<10), "five kilobytes": make([]byte, 5<<10),
		} {
			table = append(table, hostile{alg + " " + name, text + b64(string(signature)), token.ErrMalformed})
		}
	}
	n := m.rsa.N.FillBytes(make([]byte, 256))
	for _, alg := range []string{token.RS256, token.PS256} {
		head := m.text(alg, ownKeys[alg])
		table = append(table,
			hostile{alg + " is the modulus", head + "." + b64(string(n)), token.ErrMalformed},
			hostile{alg + " is one", head + "." + b64(string(big.NewInt(1).FillBytes(make([]byte, 256)))), token.ErrMalformed},
			hostile{alg + " is the modulus less one", head + "." + b64(string(new(big.Int).Sub(m.rsa.N, big.NewInt(1)).FillBytes(make([]byte, 256)))), token.ErrMalformed})
	}
	refuseAll(t, m.v, table)
}

// RFC 8032 5.1.7, and what libraries have got wrong about it.
func TestEdDSASignaturesOfStrangePointsAreRefused(t *testing.T) {
	f, v := newForge(t)
	head, body, sig := f.parts()
	raw := unb64(t, sig)
	var table []hostile
	for name, r := range map[string]string{
		"R is the identity":            "0100000000000000000000000000000000000000000000000000000000000000",
		"R is zero":                    "0000000000000000000000000000000000000000000000000000000000000000",
		"R is of order 2":              "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"R is of order 8":              "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"R is the field prime":         "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"R is the identity, not canon": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"R has all bits":               "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"R is no point":                "0200000000000000000000000000000000000000000000000000000000000000",
	} {
		point := unhex(t, r)
		for end, s := range map[string][]byte{"and S zero": make([]byte, 32), "and S as it was": raw[32:]} {
			table = append(table, hostile{name + " " + end, head + "." + body + "." + b64(string(append(bytes.Clone(point), s...))), token.ErrMalformed})
		}
	}
	order := unhex(t, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	high := bytes.Clone(raw)
	high[63] |= 0x80
	table = append(table,
		hostile{"S is zero", head + "." + body + "." + b64(string(append(bytes.Clone(raw[:32]), make([]byte, 32)...))), token.ErrMalformed},
		hostile{"S is the order", head + "." + body + "." + b64(string(append(bytes.Clone(raw[:32]), order...))), token.ErrMalformed},
		hostile{"S has its top bit", head + "." + body + "." + b64(string(high)), token.ErrMalformed},
		hostile{"R and S swapped", head + "." + body + "." + b64(string(append(bytes.Clone(raw[32:]), raw[:32]...))), token.ErrMalformed})
	refuseAll(t, v, table)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	data, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// From one ECDSA signature anybody can make a second one, (r, n-s). That is
// another text and the same token: what revokes the one revokes the other.
func TestTheOtherFormOfAnECDSASignatureIsTheSameToken(t *testing.T) {
	m := newFamily(t)
	good := m.signed(t, token.ES256, "ec")
	text, signature := good[:len(good)-86], unb64(t, good[len(good)-86:])
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(signature[32:]))
	other := text + b64(string(append(signature[:32:32], s.FillBytes(make([]byte, 32))...)))
	a, err := m.v.Verify(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.v.Verify(t.Context(), other)
	if err != nil {
		t.Fatalf("refused: then say so, and revoke by text: %v", err)
	}
	if a.TokenID != b.TokenID || a.SessionID != b.SessionID || a.Subject != b.Subject || a.Epoch != b.Epoch || a.KeyID != b.KeyID {
		t.Errorf("two identities: %+v and %+v", a, b)
	}
}

func unb64(t *testing.T, s string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
