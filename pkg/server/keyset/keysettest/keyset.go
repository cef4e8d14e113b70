// Package keysettest makes keysets for tests.
package keysettest

import (
	"testing"

	"github.com/curfew-platform/curfew/pkg/server/keyset"
)

// New returns a set of new keys.
func New(t testing.TB) *keyset.Set {
	t.Helper()
	content, err := keyset.Generate()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyset.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
