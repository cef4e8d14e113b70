// Package signingkey keeps the keys that sign access tokens: made at the first
// start, stored encrypted, the same for all replicas and after every restart.
package signingkey

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// Algorithm of every key, as it stands in `alg`.
const Algorithm = "EdDSA"

// Stored is a key as the database keeps it.
type Stored struct {
	ID      string
	Public  []byte
	Sealed  []byte // the seed, encrypted
	Primary bool
}

// Store keeps the keys. EnsurePrimary adds the candidate if there is no
// primary key yet, decides between replicas that start at the same moment, and
// returns all keys.
type Store interface {
	EnsurePrimary(ctx context.Context, candidate Stored) ([]Stored, error)
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

// Ring is the keys of the service. It is immutable and safe for concurrent use.
type Ring struct {
	primary Public
	private ed25519.PrivateKey
	all     []Public
}

// Open loads the keys and makes the first one if there is none. It fails if
// the keyset cannot open the primary key: a service that made another one
// would split from its siblings.
func Open(ctx context.Context, store Store, sealer Sealer) (*Ring, error) {
	candidate, err := generate(sealer)
	if err != nil {
		return nil, err
	}
	stored, err := store.EnsurePrimary(ctx, candidate)
	if err != nil {
		return nil, fmt.Errorf("load signing keys: %w", err)
	}
	ring := &Ring{}
	for _, s := range stored {
		if len(s.Public) != ed25519.PublicKeySize || s.ID != Thumbprint(s.Public) {
			return nil, fmt.Errorf("signing key %q: the stored public key is not the one it is named after", s.ID)
		}
		p := Public{ID: s.ID, Key: ed25519.PublicKey(s.Public)}
		ring.all = append(ring.all, p)
		if !s.Primary {
			continue
		}
		seed, err := sealer.Open(s.Sealed, associated(s.ID))
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("signing key %q: the keyset of this process cannot open it", s.ID)
		}
		ring.primary, ring.private = p, ed25519.NewKeyFromSeed(seed)
		if !p.Key.Equal(ring.private.Public()) {
			return nil, fmt.Errorf("signing key %q: private and public key do not belong together", s.ID)
		}
	}
	if ring.private == nil {
		return nil, errors.New("no primary signing key")
	}
	return ring, nil
}

// Primary returns the key that signs, and its id.
func (r *Ring) Primary() (id string, key ed25519.PrivateKey) { return r.primary.ID, r.private }

// All returns every key that verifies. Treat it as read-only.
func (r *Ring) All() []Public { return r.all }

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
	return Stored{ID: id, Public: public, Sealed: sealed, Primary: true}, nil
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
