package introspect_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/services/auth/internal/introspect"
)

type verifier struct{ err error }

func (v verifier) Verify(context.Context, string) (*identity.Identity, error) {
	return &identity.Identity{}, v.err
}

type store struct{ live bool }

func (s store) Live(context.Context, *identity.Identity) (bool, error) { return s.live, nil }

// Whoever asks would take "not active" for a token that was revoked, and its
// user for one who has to log in again.
func TestATokenWhoseKeyCannotBeHadNowIsNotCalledInactive(t *testing.T) {
	unavailable := fmt.Errorf("%w: database", token.ErrKeysUnavailable)
	id, err := introspect.New(verifier{err: unavailable}, store{live: true}).Token(t.Context(), "a.b.c")
	if !errors.Is(err, token.ErrKeysUnavailable) || id != nil {
		t.Errorf("%v, %v", id, err)
	}
}

func TestATokenThatIsNotGoodIsInactive(t *testing.T) {
	for name, i := range map[string]*introspect.Introspector{
		"malformed": introspect.New(verifier{err: token.ErrMalformed}, store{live: true}),
		"expired":   introspect.New(verifier{err: token.ErrExpired}, store{live: true}),
		"revoked":   introspect.New(verifier{}, store{}),
	} {
		if id, err := i.Token(t.Context(), "a.b.c"); id != nil || err != nil {
			t.Errorf("%s: %v, %v", name, id, err)
		}
	}
}
