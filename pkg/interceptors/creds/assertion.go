package creds

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// assertionLife is short: an assertion is used once, at once.
const assertionLife = time.Minute

// Assertion is how a service signs in with its own key (RFC 7523 section 3).
type Assertion struct {
	// Service is the bare name, "orders". `iss` and `sub` are
	// "services/orders".
	Service string
	// Audience is the issuer that the assertion is meant for.
	Audience string
	// KeyFile is a PKCS #8 PEM file with an Ed25519 private key. It is read for
	// every assertion, so it may be replaced.
	KeyFile string
	// KeyID is `kid`. Default: the function KeyID of the public key.
	KeyID string
}

// IssueFunc exchanges an assertion for an access token:
// AuthService.IssueServiceToken.
type IssueFunc func(ctx context.Context, assertion token.Raw) (Token, error)

// ServiceAssertion returns a [TokenSource] for a service with a key file. It
// signs a new assertion for every renewal. It panics if issue is nil.
func ServiceAssertion(a Assertion, issue IssueFunc) TokenSource {
	required("ServiceAssertion", issue)
	return exchange(func(context.Context) (token.Raw, error) { return a.Sign(time.Now()) }, issue)
}

// FileAssertion returns a [TokenSource] for a service whose platform keeps an
// assertion in a file: the projected service-account token of a pod, for
// example. It reads the file for every renewal. It panics if issue is nil.
func FileAssertion(path string, issue IssueFunc) TokenSource {
	required("FileAssertion", issue)
	file := File(path)
	return exchange(func(ctx context.Context) (token.Raw, error) {
		t, err := file.Token(ctx)
		return t.Value, err
	}, issue)
}

// exchange gets a new assertion for every token.
func exchange(assert func(context.Context) (token.Raw, error), issue IssueFunc) TokenSource {
	return SourceFunc(func(ctx context.Context) (Token, error) {
		assertion, err := assert(ctx)
		if err != nil {
			return Token{}, err
		}
		t, err := issue(ctx, assertion)
		if err != nil {
			return Token{}, fmt.Errorf("issue service token: %w", err)
		}
		return t, nil
	})
}

// Sign returns an assertion that is good for one minute from now: a JWT signed
// with EdDSA, with iss, sub, aud, iat, exp and a random jti.
func (a Assertion) Sign(now time.Time) (token.Raw, error) {
	key, err := readKey(a.KeyFile)
	if err != nil {
		return "", err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return "", fmt.Errorf("assertion id: %w", err)
	}
	principal := "services/" + a.Service
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": principal, "sub": principal, "aud": a.Audience, "jti": id.String(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	t.Header["kid"] = a.KeyID
	if a.KeyID == "" {
		t.Header["kid"] = KeyID(ed25519.PublicKey(key[ed25519.SeedSize:]))
	}
	signed, err := t.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign assertion: %w", err)
	}
	return token.Raw(signed), nil
}

// KeyID derives the id of a public key from the key itself: the first 16 bytes
// of its SHA-256, in base64url.
func KeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// readKey reports what is wrong with a file and never what is in it.
func readKey(path string) (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("service key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("service key: no PEM block PRIVATE KEY")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("service key: not PKCS #8")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("service key: %T, want Ed25519", parsed)
	}
	return key, nil
}
