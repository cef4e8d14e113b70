package signingkey_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// replace makes a key that no replica knows the primary.
func (s *table) replace(t *testing.T, r *signingkey.Ring) string {
	t.Helper()
	candidate, err := r.Candidate()
	if err != nil {
		t.Fatal(err)
	}
	candidate.State = signingkey.Primary
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.keys {
		s.keys[i].State = signingkey.Revoked
	}
	s.keys = append(s.keys, candidate)
	return candidate.ID
}

func TestAKeyIsCalledUnknownOnlyByAReadThatBeganAfterItsToken(t *testing.T) {
	store := &table{}
	r, err := signingkey.Open(t.Context(), config(store, sealer(t)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		kid := store.replace(t, r)
		if _, _, err := r.Key(t.Context(), kid); err != nil {
			t.Errorf("the key of an emergency: %v", err)
		}
	}
}

func TestInventedKeyIDsWaitForOneReadTogether(t *testing.T) {
	store := &table{}
	r, err := signingkey.Open(t.Context(), config(store, sealer(t)))
	if err != nil {
		t.Fatal(err)
	}
	before := store.asked
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, _, err := r.Key(t.Context(), "invented"); !errors.Is(err, token.ErrUnknownKey) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := store.asked - before; n < 1 || n > 10 {
		t.Errorf("100 invented key ids cost %d reads", n)
	}
}

func TestAReplicaThatRefusesThePrimaryShowsItsSuccessor(t *testing.T) {
	store := &table{}
	cfg := config(store, sealer(t))
	refused := ""
	cfg.Revoked = func(kid string) bool { return kid == refused }
	r, err := signingkey.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	refused, _ = primary(t, r)
	kid := store.replace(t, r)
	list, err := r.All(t.Context())
	if err != nil || !slices.ContainsFunc(list, func(k signingkey.Public) bool { return k.ID == kid }) {
		t.Errorf("it shows %v, %v", list, err)
	}
}
