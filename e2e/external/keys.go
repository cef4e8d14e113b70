package external

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// key signs tokens, and verifies them for others.
type key struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
}

// ID implements op.SigningKey.
func (k key) ID() string { return k.id }

// SignatureAlgorithm implements op.SigningKey.
func (k key) SignatureAlgorithm() jose.SignatureAlgorithm { return k.algorithm }

// Key implements op.SigningKey.
func (k key) Key() any { return k.private }

// shown is the public part of a key.
type shown struct{ key key }

// ID implements op.Key.
func (s shown) ID() string { return s.key.id }

// Algorithm implements op.Key.
func (s shown) Algorithm() jose.SignatureAlgorithm { return s.key.algorithm }

// Use implements op.Key.
func (s shown) Use() string { return "sig" }

// Key implements op.Key.
func (s shown) Key() any { return s.key.private.Public() }

// keys are those that the provider shows; the last one signs. The first is RSA
// and the others are P-256, as when a provider moves on.
type keys struct {
	mu   sync.Mutex
	made int
	list []key
}

func (k *keys) rotate() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.made++
	next := key{id: fmt.Sprintf("%d-%s", k.made, rand.Text()[:8])}
	var err error
	if k.made == 1 {
		next.algorithm = jose.RS256
		next.private, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		next.algorithm = jose.ES256
		next.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	k.list = append(k.list, next)
	return nil
}

// withdraw shows only the key that signs.
func (k *keys) withdraw() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = k.list[len(k.list)-1:]
}

// SigningKey implements op.AuthStorage.
func (k *keys) SigningKey(context.Context) (op.SigningKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.list[len(k.list)-1], nil
}

// SignatureAlgorithms implements op.AuthStorage.
func (k *keys) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256}, nil
}

// KeySet implements op.AuthStorage.
func (k *keys) KeySet(context.Context) ([]op.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	set := make([]op.Key, len(k.list))
	for n, one := range k.list {
		set[n] = shown{one}
	}
	return set, nil
}
