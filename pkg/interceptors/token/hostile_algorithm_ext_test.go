package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
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
	text := b64(m.f.text(m.f.header(map[string]any{"alg": alg, "kid": kid}))) + "." + b64(m.f.text(m.f.payload(nil)))
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
	own := map[string]string{token.EdDSA: "ed", token.ES256: "ec", token.RS256: "rs", token.PS256: "ps", token.HS256: "hs"}
	var table []hostile
	for alg, key := range own {
		if _, err := m.v.Verify(t.Context(), m.signed(t, alg, key)); err != nil {
			t.Errorf("%s under its own key: %v", alg, err)
		}
		for _, other := range own {
			if other != key {
				table = append(table, hostile{alg + " under the key " + other, m.signed(t, alg, other), token.ErrMalformed})
			}
		}
	}
	refuseSome(t, m.v, table)
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
