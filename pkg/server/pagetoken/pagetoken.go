// Package pagetoken seals the position of a keyset pagination (AIP-158) into an
// opaque token: a client can neither read nor change it, nor use it with
// another list, another filter or another caller.
package pagetoken

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid says that a token was changed, is of another list, or is no token.
var ErrInvalid = errors.New("page token is invalid or belongs to another list")

// maxLength bounds what Open decodes, in characters.
const maxLength = 4096

// Keys encrypts and decrypts with associated data; *keyset.Set is one.
type Keys interface {
	Seal(plain, associated []byte) ([]byte, error)
	Open(sealed, associated []byte) ([]byte, error)
}

// Sealer makes and opens the tokens of one service. It is safe for concurrent use.
type Sealer struct {
	keys Keys
}

// New returns a Sealer over keys that all replicas share.
func New(keys Keys) *Sealer { return &Sealer{keys: keys} }

// Seal returns the token of a position, bound to a list: the method and every
// request field that must be the same on the next page (parent, filter, order,
// and the principal where the list depends on it).
func (s *Sealer) Seal(position any, list ...string) (string, error) {
	plain, err := json.Marshal(position)
	if err != nil {
		return "", fmt.Errorf("encode page position: %w", err)
	}
	sealed, err := s.keys.Seal(plain, associated(list))
	if err != nil {
		return "", fmt.Errorf("seal page token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open decodes a token into position. Every failure is ErrInvalid. An empty
// token is the first page: position is left as it is and ok is false.
func (s *Sealer) Open(token string, position any, list ...string) (ok bool, err error) {
	if token == "" {
		return false, nil
	}
	if len(token) > maxLength {
		return false, ErrInvalid
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return false, ErrInvalid
	}
	plain, err := s.keys.Open(sealed, associated(list))
	if err != nil {
		return false, ErrInvalid
	}
	if err := json.Unmarshal(plain, position); err != nil {
		return false, ErrInvalid
	}
	return true, nil
}

// associated is injective: lengths go before the parts.
func associated(list []string) []byte {
	var b strings.Builder
	b.WriteString("page token v1")
	for _, part := range list {
		fmt.Fprintf(&b, "\x00%d\x00%s", len(part), part)
	}
	return []byte(b.String())
}
