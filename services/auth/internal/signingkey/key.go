package signingkey

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// Algorithm of every key, as it stands in `alg`.
const Algorithm = "EdDSA"

// State says what a key does.
type State int

// The states, in the order in which a key has them. Standby, Primary and Retired
// may each be followed by Revoked.
const (
	// Standby is shown and signs nothing yet: the next primary.
	Standby State = iota + 1
	// Primary signs.
	Primary
	// Retired signs no more, and is shown until the last of its tokens is over.
	Retired
	// Revoked: its tokens are refused.
	Revoked
)

// Key is what anybody who administers keys may know about one.
type Key struct {
	ID    string
	State State
	// CreatedAt, and since when and until when it signed; zero if it did not yet.
	CreatedAt, PrimaryAt, EndedAt time.Time
}

// Refusals of Rotate and Revoke.
var (
	// ErrNotFound: no key of this id, or one whose tokens are over.
	ErrNotFound = errors.New("no such signing key")
	// ErrNotReady is what a *NotReadyError is.
	ErrNotReady = errors.New("the next signing key is not known everywhere yet")
)

// NotReadyError says when the standby may become primary, as far as can be seen.
type NotReadyError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *NotReadyError) Error() string { return ErrNotReady.Error() }

// Unwrap returns ErrNotReady.
func (e *NotReadyError) Unwrap() error { return ErrNotReady }

// Stored is a key as the database keeps it.
type Stored struct {
	ID     string
	Public []byte
	Sealed []byte // the seed, encrypted
	State  State
}

// Sealer encrypts with associated data; *keyset.Set is one.
type Sealer interface {
	Seal(plain, associated []byte) ([]byte, error)
	Open(sealed, associated []byte) ([]byte, error)
}

// Public is a key that verifies.
type Public struct {
	ID  string
	Key ed25519.PublicKey
}

func generate(sealer Sealer) (Stored, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Stored{}, fmt.Errorf("generate signing key: %w", err)
	}
	id := Thumbprint(public)
	sealed, err := sealer.Seal(private.Seed(), associated(id))
	if err != nil {
		return Stored{}, fmt.Errorf("encrypt signing key: %w", err)
	}
	return Stored{ID: id, Public: public, Sealed: sealed}, nil
}

// unseal returns the public half of a stored key, and its private half if it
// may have to sign.
func unseal(s Stored, sealer Sealer) (Public, ed25519.PrivateKey, error) {
	if len(s.Public) != ed25519.PublicKeySize || s.ID != Thumbprint(s.Public) {
		return Public{}, nil, fmt.Errorf("signing key %q: the stored public key is not the one it is named after", s.ID)
	}
	p := Public{ID: s.ID, Key: ed25519.PublicKey(s.Public)}
	if s.State != Primary && s.State != Standby {
		return p, nil, nil
	}
	seed, err := sealer.Open(s.Sealed, associated(s.ID))
	if err != nil || len(seed) != ed25519.SeedSize {
		return Public{}, nil, fmt.Errorf("signing key %q: the keyset of this process cannot open it", s.ID)
	}
	private := ed25519.NewKeyFromSeed(seed)
	if !p.Key.Equal(private.Public()) {
		return Public{}, nil, fmt.Errorf("signing key %q: private and public key do not belong together", s.ID)
	}
	return p, private, nil
}

// Thumbprint is the id of a key: its JWK thumbprint (RFC 7638, RFC 8037
// appendix A.3).
func Thumbprint(public ed25519.PublicKey) string {
	jwk := `{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}`
	sum := sha256.Sum256([]byte(jwk))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// associated ties a sealed seed to its id and purpose, so that no other sealed
// value of the service can take its place.
func associated(id string) []byte { return []byte("curfew signing key\x00" + id) }
