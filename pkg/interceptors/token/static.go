package token

import (
	"context"
	"crypto"
	"errors"
	"fmt"
)

// Static is a fixed set of [Keys].
type Static struct{ keys map[string]Key }

// NewStatic returns a fixed set of keys. It fails on no key, on two keys with
// one id, on a key that does not fit its algorithm, and on weak keys: HS256
// secrets under 32 bytes, RSA under 2048 bits, Ed25519 points of small order.
func NewStatic(keys ...Key) (*Static, error) {
	if len(keys) == 0 {
		return nil, errors.New("static keys: none given")
	}
	s := &Static{keys: make(map[string]Key, len(keys))}
	for _, k := range keys {
		if err := k.check(); err != nil {
			return nil, fmt.Errorf("static key %q: %w", k.ID, err)
		}
		if _, dup := s.keys[k.ID]; dup {
			return nil, fmt.Errorf("static key %q: given twice", k.ID)
		}
		s.keys[k.ID] = k
	}
	return s, nil
}

// Key implements Keys.
func (s *Static) Key(_ context.Context, kid string) (string, crypto.PublicKey, error) {
	k, ok := s.keys[kid]
	if !ok {
		return "", nil, ErrUnknownKey
	}
	return k.Algorithm, k.Public, nil
}
