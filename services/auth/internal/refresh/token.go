// Package refresh is the opaque refresh token: which session, which
// generation, and the proof that this service made it.
//
// Nothing secret about a token is stored anywhere: the proof is an HMAC, so a
// stolen database refreshes nothing, and a forged token is refused before any
// SQL.
package refresh

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/google/uuid"
)

// ErrInvalid says that a string is not a refresh token of this service.
var ErrInvalid = errors.New("refresh token is not authentic")

// Layout, in bytes: version, key id, session, generation, MAC.
const (
	version    = 1
	sidAt      = 1 + 4
	genAt      = sidAt + 16
	macAt      = genAt + 4
	macSize    = 32
	size       = macAt + macSize
	textLength = (size*8 + 5) / 6
)

// Keys authenticates with a key that is named by its id, deterministically;
// *keyset.Set is one. MAC returns 32 bytes.
type Keys interface {
	PrimaryMACKey() uint32
	MAC(keyID uint32, data []byte) ([]byte, error)
}

// Token is what a refresh token says.
type Token struct {
	KeyID      uint32
	Session    uuid.UUID
	Generation int32 // 1 is the login's
}

// Codec makes and reads refresh tokens. It is safe for concurrent use.
type Codec struct {
	keys Keys
}

// NewCodec returns a Codec over the keys that all replicas share.
func NewCodec(keys Keys) *Codec { return &Codec{keys: keys} }

// PrimaryKey is the id of the key that new generations are authenticated with.
func (c *Codec) PrimaryKey() uint32 { return c.keys.PrimaryMACKey() }

// Encode returns the token; the same input always gives the same bytes. The
// error is that of an unknown key or of a generation below 1.
func (c *Codec) Encode(t Token) (string, error) {
	if t.Generation < 1 {
		return "", fmt.Errorf("refresh token: generation %d", t.Generation)
	}
	raw := make([]byte, macAt, size)
	raw[0] = version
	binary.BigEndian.PutUint32(raw[1:], t.KeyID)
	copy(raw[sidAt:], t.Session[:])
	binary.BigEndian.PutUint32(raw[genAt:], uint32(t.Generation))
	mac, err := c.keys.MAC(t.KeyID, label("token", raw))
	if err != nil {
		return "", fmt.Errorf("refresh token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(raw, mac...)), nil
}

// Decode checks the token and says what is in it. Every failure is ErrInvalid.
func (c *Codec) Decode(text string) (Token, error) {
	if len(text) != textLength {
		return Token{}, ErrInvalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != size || raw[0] != version {
		return Token{}, ErrInvalid
	}
	generation := binary.BigEndian.Uint32(raw[genAt:])
	if generation < 1 || generation > math.MaxInt32 {
		return Token{}, ErrInvalid
	}
	t := Token{
		KeyID:      binary.BigEndian.Uint32(raw[1:]),
		Session:    uuid.UUID(raw[sidAt:genAt]),
		Generation: int32(generation),
	}
	want, err := c.keys.MAC(t.KeyID, label("token", raw[:macAt]))
	if err != nil || !hmac.Equal(want, raw[macAt:]) {
		return Token{}, ErrInvalid
	}
	return t, nil
}

// RetryHash is what is stored of the retry key that came with t: bound to the
// session and made with the key of the presented token, which is the same for
// all tries. No retry key gives nil. The error is that of an unknown key.
func (c *Codec) RetryHash(t Token, retryKey []byte) ([]byte, error) {
	if len(retryKey) == 0 {
		return nil, nil
	}
	mac, err := c.keys.MAC(t.KeyID, label("retry", append(t.Session[:], retryKey...)))
	if err != nil {
		return nil, fmt.Errorf("retry key: %w", err)
	}
	return mac, nil
}

// label keeps what is authenticated for one purpose from counting for another.
func label(purpose string, data []byte) []byte {
	return append([]byte("curfew refresh "+purpose+"\x00"), data...)
}
