// Package issuer signs access tokens.
//
// A token is read by everybody who gets hold of it, so it carries nothing that
// says who a person is: the claims are a closed struct, and every value has to
// have a shape that an address or a name does not have.
package issuer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// ErrShape says that a value is not of the shape its claim must have.
var ErrShape = errors.New("value does not have the shape of its claim")

// Type is the `typ` of an access token (RFC 9068 section 2.1).
const Type = "at+jwt"

var (
	uuidShape    = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	serviceShape = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	wordShape    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
)

// Config is what all tokens of one issuer share.
type Config struct {
	// Issuer is `iss`: an https URL.
	Issuer string
	// Audience is `aud`.
	Audience string
	// Life of an access token, between 10 s and 1 h.
	Life time.Duration
	// Roles that exist; a token with another one is never signed.
	Roles []string
}

// Keys give the key that signs at this moment.
type Keys interface {
	Primary(ctx context.Context) (id string, key ed25519.PrivateKey, err error)
}

// Issuer signs access tokens with EdDSA, which is deterministic: the same
// Subject and key give the same bytes. It is safe for concurrent use.
type Issuer struct {
	cfg  Config
	keys Keys
}

// New returns an Issuer. The error says which setting is wrong.
func New(cfg Config, keys Keys) (*Issuer, error) {
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("issuer %q: expected https://host[/path]: %w", cfg.Issuer, ErrShape)
	}
	if !wordShape.MatchString(cfg.Audience) {
		return nil, fmt.Errorf("audience %q: %w", cfg.Audience, ErrShape)
	}
	if cfg.Life < 10*time.Second || cfg.Life > time.Hour {
		return nil, fmt.Errorf("life of an access token: %v is not between 10s and 1h", cfg.Life)
	}
	for _, r := range cfg.Roles {
		if !wordShape.MatchString(r) {
			return nil, fmt.Errorf("role %q: %w", r, ErrShape)
		}
	}
	return &Issuer{cfg: cfg, keys: keys}, nil
}

// Name is `iss` of the tokens.
func (i *Issuer) Name() string { return i.cfg.Issuer }

// Life is the time from IssuedAt to the expiry.
func (i *Issuer) Life() time.Duration { return i.cfg.Life }

// Subject is what differs between tokens.
type Subject struct {
	ID        string // bare id of a user, or services/{name}
	SessionID string
	TokenID   string
	Epoch     int64 // of the row version that was verified
	Roles     []string
	ACR       string
	AuthTime  time.Time
	IssuedAt  time.Time // of the database, at or before that row version was read
}

// Issue signs the token of s and says when it expires. The error is ErrShape,
// or why there is no key to sign with.
func (i *Issuer) Issue(ctx context.Context, s Subject) (token string, expires time.Time, err error) {
	if err := i.check(s); err != nil {
		return "", time.Time{}, err
	}
	kid, private, err := i.keys.Primary(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign: %w", err)
	}
	issued := s.IssuedAt.Truncate(time.Second)
	expires = issued.Add(i.cfg.Life)
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, Claims{
		Issuer:    i.cfg.Issuer,
		Audience:  i.cfg.Audience,
		Subject:   s.ID,
		SessionID: s.SessionID,
		TokenID:   s.TokenID,
		Epoch:     s.Epoch,
		Roles:     s.Roles,
		ACR:       s.ACR,
		AuthTime:  s.AuthTime.Unix(),
		IssuedAt:  issued.Unix(),
		NotBefore: issued.Unix(),
		ExpiresAt: expires.Unix(),
	})
	t.Header["typ"] = Type
	t.Header["kid"] = kid
	token, err = t.SignedString(private)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign: %w", err)
	}
	return token, expires.UTC(), nil
}

// ServiceName says whether a service can have this bare name.
func ServiceName(name string) bool { return serviceShape.MatchString(name) }

func isService(subject string) bool {
	name, ok := strings.CutPrefix(subject, "services/")
	return ok && ServiceName(name)
}

func (i *Issuer) check(s Subject) error {
	switch {
	case !uuidShape.MatchString(s.ID) && !isService(s.ID):
		return fmt.Errorf("sub: %w", ErrShape)
	case !uuidShape.MatchString(s.SessionID):
		return fmt.Errorf("sid: %w", ErrShape)
	case !uuidShape.MatchString(s.TokenID):
		return fmt.Errorf("jti: %w", ErrShape)
	case s.Epoch < 1:
		return fmt.Errorf("epoch: %w", ErrShape)
	case !wordShape.MatchString(s.ACR):
		return fmt.Errorf("acr: %w", ErrShape)
	case s.AuthTime.IsZero(), s.IssuedAt.IsZero():
		return fmt.Errorf("auth_time and iat: %w", ErrShape)
	}
	for _, r := range s.Roles {
		if !slices.Contains(i.cfg.Roles, r) {
			return fmt.Errorf("roles: %w", ErrShape)
		}
	}
	return nil
}
