// Package clustertest mints service-account tokens that look like those of
// Kubernetes, with real keys, for tests.
package clustertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Issuer is `iss` of every Cluster, and what clusters have by default.
const Issuer = "https://kubernetes.default.svc.cluster.local"

// Life of the tokens: the shortest that Kubernetes admits.
const Life = 10 * time.Minute

// Cluster signs tokens with one key. Safe for concurrent use.
type Cluster struct {
	kid     string
	private crypto.Signer
}

// New returns a cluster with a new RSA key.
func New(t testing.TB) *Cluster {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der) // as kube-apiserver names its keys
	return &Cluster{kid: base64.RawURLEncoding.EncodeToString(sum[:]), private: private}
}

// NewWith returns a cluster with a key that is there, RSA or P-256.
func NewWith(kid string, private crypto.Signer) *Cluster {
	return &Cluster{kid: kid, private: private}
}

// KeyID is `kid` of the tokens.
func (c *Cluster) KeyID() string { return c.kid }

// Private is the key.
func (c *Cluster) Private() crypto.Signer { return c.private }

// PublicPEM is the public key as text, for attempts to use it as a secret.
func (c *Cluster) PublicPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(c.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// JWKS is what /openid/v1/jwks answers.
func (c *Cluster) JWKS() []byte {
	jwk := map[string]string{"use": "sig", "kid": c.kid}
	encode := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	switch public := c.private.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"], jwk["alg"] = "RSA", "RS256"
		jwk["n"], jwk["e"] = encode(public.N.Bytes()), encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic(err) // of a key that was generated
		}
		jwk["kty"], jwk["alg"], jwk["crv"] = "EC", "ES256", "P-256"
		jwk["x"], jwk["y"] = encode(point[1:33]), encode(point[33:])
	}
	set, err := json.Marshal(map[string]any{"keys": []any{jwk}})
	if err != nil {
		panic(err) // of strings
	}
	return set
}

// Claims are those of a token that a kubelet projects into a pod.
func (c *Cluster) Claims(namespace, account, audience string) jwt.MapClaims {
	now := time.Now()
	return jwt.MapClaims{
		"aud": []string{audience}, "iss": Issuer, "sub": "system:serviceaccount:" + namespace + ":" + account,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(Life).Unix(), "jti": uuid.NewString(),
		"kubernetes.io": map[string]any{
			"namespace":      namespace,
			"node":           map[string]any{"name": "node-1", "uid": uuid.NewString()},
			"pod":            map[string]any{"name": account + "-0", "uid": uuid.NewString()},
			"serviceaccount": map[string]any{"name": account, "uid": uuid.NewString()},
		},
	}
}

// Token is a token as it stands in the file of a pod.
func (c *Cluster) Token(t testing.TB, namespace, account, audience string) string {
	t.Helper()
	return c.Sign(t, c.Claims(namespace, account, audience))
}

// Sign signs any claims with the key of the cluster.
func (c *Cluster) Sign(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	if _, elliptic := c.private.(*ecdsa.PrivateKey); elliptic {
		return c.SignAs(t, c.kid, jwt.SigningMethodES256, c.private, claims)
	}
	return c.SignAs(t, c.kid, jwt.SigningMethodRS256, c.private, claims)
}

// SignAs signs with any method and key. The header is that of Kubernetes: alg
// and kid, and no typ.
func (c *Cluster) SignAs(t testing.TB, kid string, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	tok := jwt.NewWithClaims(method, claims)
	tok.Header = map[string]any{"alg": method.Alg(), "kid": kid}
	signed, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
