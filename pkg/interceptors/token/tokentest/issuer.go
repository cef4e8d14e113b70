// Package tokentest issues access tokens for tests: an issuer with a key of its
// own, the verifier that trusts it, and tokens in which any claim can be
// changed.
package tokentest

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// KeyID is the `kid` of all tokens of an Issuer.
const KeyID = "test-key"

// Issuer signs tokens of the profile token.Curfew. Safe for concurrent use.
type Issuer struct {
	// URL is `iss`.
	URL     string
	private ed25519.PrivateKey
}

// New returns an issuer that has the name token.CurfewIssuer and a new key.
func New(t testing.TB) *Issuer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatalf("generate key: %v", err)
	}
	return &Issuer{URL: token.CurfewIssuer, private: private}
}

// Public is the key that verifies the tokens.
func (i *Issuer) Public() ed25519.PublicKey {
	return ed25519.PublicKey(i.private[ed25519.SeedSize:])
}

// Keys returns the keys of the issuer.
func (i *Issuer) Keys(t testing.TB) token.Keys {
	t.Helper()
	keys, err := token.NewStatic(token.Key{ID: KeyID, Algorithm: token.EdDSA, Public: i.Public()})
	if err != nil {
		t.Fatalf("static keys: %v", err)
	}
	return keys
}

// Verifier returns a verifier that trusts the issuer, under the profile
// token.Curfew.
func (i *Issuer) Verifier(t testing.TB) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(token.Curfew(i.URL, i.Keys(t)))
	if err != nil {
		t.Fatalf("verifier: %v", err)
	}
	t.Cleanup(v.Close)
	return v
}

// Claims are members of a payload. A nil value removes the member.
type Claims map[string]any

// User returns a token of a user: good for 5 minutes, of a login at this moment
// with acr aal1, with epoch 1 and a new session. Then changes are applied.
func (i *Issuer) User(t testing.TB, subject string, roles []string, changes ...Claims) string {
	t.Helper()
	if roles == nil {
		roles = []string{}
	}
	now := time.Now().Unix()
	claims := Claims{
		"iss": i.URL, "aud": []string{token.CurfewAudience}, "sub": subject,
		"sid": uuid.NewString(), "jti": uuid.NewString(), "epoch": 1, "roles": roles,
		"acr": "aal1", "auth_time": now, "iat": now, "nbf": now, "exp": now + 300,
	}
	for _, change := range changes {
		maps.Copy(claims, change)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return i.Sign(t, Claims{"alg": token.EdDSA, "typ": "at+jwt", "kid": KeyID}, claims)
}

// Service returns a token of the service services/{name}. Then changes are
// applied.
func (i *Issuer) Service(t testing.TB, name string, changes ...Claims) string {
	t.Helper()
	return i.User(t, "services/"+name, []string{"service"}, changes...)
}

// Sign signs any header and payload, valid or not.
func (i *Issuer) Sign(t testing.TB, header, claims Claims) string {
	t.Helper()
	return i.SignText(encode(t, header), encode(t, claims))
}

// SignText signs any two texts, which need not be JSON.
func (i *Issuer) SignText(header, payload string) string {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(i.private, []byte(signed)))
}

func encode(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode claims: %v", err)
	}
	return string(data)
}
