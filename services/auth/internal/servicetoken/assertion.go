package servicetoken

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// ErrAssertionInvalid says that an assertion is malformed, expired, for
// somebody else, signed with an unknown key, or was used before.
var ErrAssertionInvalid = errors.New("assertion is invalid")

// ErrKeysUnavailable says that nothing is known about an assertion of the
// platform, because its keys cannot be had now.
var ErrKeysUnavailable = errors.New("keys of the platform unavailable")

// Bounds of an assertion.
const (
	maxLife    = 5 * time.Minute
	leeway     = 30 * time.Second
	minIDBytes = 16
	maxIDBytes = 128
)

// principalPrefix begins iss and sub.
const principalPrefix = "services/"

// Assertion is what a verified assertion says.
type Assertion struct {
	Service   string // bare name
	ID        string // jti
	ExpiresAt time.Time
}

// Verifier checks assertions. It is safe for concurrent use.
type Verifier struct {
	registry Registry
	parser   *jwt.Parser
	now      func() time.Time
}

// NewVerifier returns a Verifier of assertions for audience, which is the
// issuer of the tokens that they are exchanged for.
func NewVerifier(registry Registry, audience string, now func() time.Time) *Verifier {
	return &Verifier{registry: registry, now: now, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(now),
	)}
}

// Verify checks everything but whether the assertion was used before. Every
// failure wraps ErrAssertionInvalid.
func (v *Verifier) Verify(raw string) (Assertion, error) {
	claims := jwt.RegisteredClaims{}
	if _, err := v.parser.ParseWithClaims(raw, &claims, v.key); err != nil {
		return Assertion{}, fmt.Errorf("%w: %w", ErrAssertionInvalid, err)
	}
	switch n := len(claims.ID); {
	case claims.Subject != claims.Issuer:
		return Assertion{}, fmt.Errorf("%w: sub is not iss", ErrAssertionInvalid)
	case n < minIDBytes || n > maxIDBytes || strings.ContainsRune(claims.ID, 0):
		return Assertion{}, fmt.Errorf("%w: jti has %d bytes", ErrAssertionInvalid, n)
	case claims.IssuedAt == nil:
		return Assertion{}, fmt.Errorf("%w: no iat", ErrAssertionInvalid)
	case claims.ExpiresAt.Sub(claims.IssuedAt.Time) > maxLife, claims.ExpiresAt.Sub(v.now()) > maxLife+leeway:
		return Assertion{}, fmt.Errorf("%w: longer than %v", ErrAssertionInvalid, maxLife)
	}
	return Assertion{
		Service:   strings.TrimPrefix(claims.Issuer, principalPrefix),
		ID:        claims.ID,
		ExpiresAt: claims.ExpiresAt.Time,
	}, nil
}

// key finds the key that iss and kid name together: a key of one service never
// speaks for another.
func (v *Verifier) key(t *jwt.Token) (any, error) {
	if typ, ok := t.Header["typ"]; ok && typ != "JWT" {
		return nil, errors.New("typ is not JWT")
	}
	issuer, err := t.Claims.GetIssuer()
	if err != nil {
		return nil, err
	}
	name, ok := strings.CutPrefix(issuer, principalPrefix)
	kid, _ := t.Header["kid"].(string)
	if !ok {
		return nil, errors.New("iss is not a service")
	}
	public, ok := v.registry.lookup(name, kid)
	if !ok {
		return nil, errors.New("no such key of the service")
	}
	return public, nil
}
