package signingkey_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"

	"github.com/curfew-platform/curfew/pkg/server/keyset"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// table keeps the first primary key, as the database does.
type table struct{ keys []signingkey.Stored }

func (s *table) EnsurePrimary(_ context.Context, candidate signingkey.Stored) ([]signingkey.Stored, error) {
	if len(s.keys) == 0 {
		s.keys = append(s.keys, candidate)
	}
	return s.keys, nil
}

func sealer(t *testing.T) *keyset.Set {
	t.Helper()
	content, err := keyset.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s, err := keyset.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheFirstStartMakesAKeyAndEveryOtherFindsIt(t *testing.T) {
	store, keys := &table{}, sealer(t)
	first, err := signingkey.Open(t.Context(), store, keys)
	if err != nil {
		t.Fatal(err)
	}
	second, err := signingkey.Open(t.Context(), store, keys)
	if err != nil {
		t.Fatal(err)
	}
	id, private := first.Primary()
	if other, same := second.Primary(); id != other || !private.Equal(same) {
		t.Error("the second start has another key")
	}
	if bytes.Contains(store.keys[0].Sealed, private.Seed()) {
		t.Error("the key is stored in clear")
	}
}

func TestAKeyThatTheKeysetCannotOpenStopsTheStart(t *testing.T) {
	store := &table{}
	if _, err := signingkey.Open(t.Context(), store, sealer(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := signingkey.Open(t.Context(), store, sealer(t)); err == nil {
		t.Error("a start with another keyset made tokens of its own")
	}
}

func TestAnExchangedPublicKeyStopsTheStart(t *testing.T) {
	store, keys := &table{}, sealer(t)
	if _, err := signingkey.Open(t.Context(), store, keys); err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	store.keys[0].Public = other
	if _, err := signingkey.Open(t.Context(), store, keys); err == nil {
		t.Error("the public key of somebody else was taken")
	}
	store.keys[0].ID = signingkey.Thumbprint(other)
	if _, err := signingkey.Open(t.Context(), store, keys); err == nil {
		t.Error("a sealed key was taken under another id")
	}
}
