package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// The algorithms that a profile may allow (RFC 7518, RFC 8037). "none" and
// SHA-1 do not exist here.
const (
	EdDSA = "EdDSA"
	ES256 = "ES256"
	ES384 = "ES384"
	RS256 = "RS256"
	PS256 = "PS256"
	HS256 = "HS256"
)

const (
	minSecretBytes = 32
	minRSABits     = 2048
	maxRSABits     = 8192
)

// Keys are the verification keys of one issuer. Implementations must be safe
// for concurrent use, and must bound what a token with an unknown key id can
// cost.
type Keys interface {
	// Key returns the key with id kid and the one algorithm that it is used
	// with. The error wraps [ErrUnknownKey] if the issuer has no such key, and
	// [ErrKeysUnavailable] if that cannot be known now.
	Key(ctx context.Context, kid string) (alg string, key crypto.PublicKey, err error)
}

// Key is one verification key.
type Key struct {
	// ID is matched with `kid`.
	ID string
	// Algorithm is the only one that the key may be used with.
	Algorithm string
	// Public is an ed25519.PublicKey, *ecdsa.PublicKey or *rsa.PublicKey; a
	// []byte of at least 32 bytes for HS256.
	Public crypto.PublicKey
}

// errWeakKey is why a key is not taken.
var errWeakKey = errors.New("unusable key")

// check refuses a key that does not fit its algorithm or is too weak to prove
// anything.
func (k Key) check() error {
	if !printable(k.ID, maxKeyIDBytes) {
		return fmt.Errorf("%w: bad key id", errWeakKey)
	}
	switch public := k.Public.(type) {
	case ed25519.PublicKey:
		if k.Algorithm != EdDSA {
			return mismatch(k)
		}
		return checkEd25519(public)
	case *ecdsa.PublicKey:
		return checkECDSA(k, public)
	case *rsa.PublicKey:
		if k.Algorithm != RS256 && k.Algorithm != PS256 {
			return mismatch(k)
		}
		if n := public.N.BitLen(); n < minRSABits || n > maxRSABits || public.E < 3 || public.E%2 == 0 {
			return fmt.Errorf("%w: rsa key size or exponent", errWeakKey)
		}
		return nil
	case []byte:
		if k.Algorithm != HS256 {
			return mismatch(k)
		}
		if len(public) < minSecretBytes {
			return fmt.Errorf("%w: HS256 secret under %d bytes", errWeakKey, minSecretBytes)
		}
		return nil
	default:
		return fmt.Errorf("%w: unsupported type %T", errWeakKey, k.Public)
	}
}

func mismatch(k Key) error {
	return fmt.Errorf("%w: %T cannot be used with the algorithm", errWeakKey, k.Public)
}

func checkECDSA(k Key, public *ecdsa.PublicKey) error {
	var curve elliptic.Curve
	switch k.Algorithm {
	case ES256:
		curve = elliptic.P256()
	case ES384:
		curve = elliptic.P384()
	default:
		return mismatch(k)
	}
	if public.Curve != curve {
		return mismatch(k)
	}
	if _, err := public.ECDH(); err != nil {
		return fmt.Errorf("%w: point not on the curve", errWeakKey)
	}
	return nil
}

// smallOrder lists the encodings of the points of order 1, 2, 4 and 8 with the
// sign bit cleared, the non-canonical ones included (the list of libsodium's
// ge25519_has_small_order). With such a key one signature fits every message.
var smallOrder = func() [][]byte {
	var out [][]byte
	for _, s := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			panic(err)
		}
		out = append(out, b)
	}
	return out
}()

func checkEd25519(public ed25519.PublicKey) error {
	if len(public) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: ed25519 key size", errWeakKey)
	}
	canonical := bytes.Clone(public)
	canonical[31] &= 0x7f
	for _, weak := range smallOrder {
		if bytes.Equal(canonical, weak) {
			return fmt.Errorf("%w: ed25519 key of small order", errWeakKey)
		}
	}
	return nil
}

// verify checks signature over signed. key has passed check.
func verify(alg string, key crypto.PublicKey, signed string, signature []byte) error {
	method := jwt.GetSigningMethod(alg)
	if method == nil || alg == "none" {
		return malformed("unknown algorithm")
	}
	if err := method.Verify(signed, signature, key); err != nil {
		return malformed("signature")
	}
	return nil
}
