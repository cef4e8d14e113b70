package signingkey_test

import (
	"testing"

	"github.com/curfew-platform/curfew/pkg/server/keyset"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// The page on recovery says when an old key of the keyset may go: the primary and
// the standby of before are encrypted with it.
func TestAnOldKeyOfTheKeysetIsNeededUntilTheSigningKeyWasRotatedTwice(t *testing.T) {
	content, err := keyset.Generate()
	if err != nil {
		t.Fatal(err)
	}
	step := func(f func([]byte) ([]byte, error), content []byte) []byte {
		t.Helper()
		next, err := f(content)
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	store := &table{}
	open := func(content []byte) (*signingkey.Ring, error) {
		t.Helper()
		keys, err := keyset.Parse(content)
		if err != nil {
			t.Fatal(err)
		}
		return signingkey.Open(t.Context(), config(store, keys))
	}
	tend := func(content []byte) {
		t.Helper()
		ring, err := open(content)
		if err == nil {
			err = ring.Tend(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tend(content)
	content = step(keyset.Promote, step(keyset.Add, content))
	retired := step(keyset.Retire, content)
	for rotations := range 3 {
		if _, err := open(retired); (err == nil) != (rotations == 2) {
			t.Errorf("without the old key, after %d rotations: %v", rotations, err)
		}
		store.promote()
		tend(content)
	}
}
