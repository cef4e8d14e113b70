package signingkey_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock/leaseclocktest"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	"github.com/curfew-platform/curfew/pkg/server/keyset/keysettest"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// table is the database, or none while err is set.
type table struct {
	mu    sync.Mutex
	keys  []signingkey.Stored
	known []string
	asked int
	err   error
}

func (s *table) EnsurePrimary(_ context.Context, candidate signingkey.Stored) error {
	if len(s.keys) == 0 {
		candidate.State = signingkey.Primary
		s.keys = append(s.keys, candidate)
	}
	return s.err
}

func (s *table) Publish(_ context.Context, _ signingkey.Reader, known []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = known
	return s.err
}

func (s *table) Keys(context.Context) ([]signingkey.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return slices.Clone(s.keys), s.err
}

func (s *table) EnsureStandby(_ context.Context, candidate signingkey.Stored) error {
	candidate.State = signingkey.Standby
	s.keys = append(s.keys, candidate)
	return s.err
}

func (s *table) NoteKnown(context.Context) error { return s.err }

func (s *table) RotateAfter(context.Context, time.Duration, time.Duration) (bool, error) {
	return false, s.err
}

// promote makes the standby primary.
func (s *table) promote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.keys {
		switch s.keys[i].State {
		case signingkey.Primary:
			s.keys[i].State = signingkey.Retired
		case signingkey.Standby:
			s.keys[i].State = signingkey.Primary
		}
	}
}

func (s *table) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func sealer(t *testing.T) *keyset.Set {
	t.Helper()
	return keysettest.New(t)
}

func config(store signingkey.Store, keys signingkey.Sealer) signingkey.Config {
	return signingkey.Config{
		Store: store, Sealer: keys, Reader: signingkey.Reader{Replica: "a", Incarnation: "1"}, Clock: leaseclocktest.New(0),
		Log: slog.New(slog.DiscardHandler), Announce: time.Minute,
	}
}

func primary(t *testing.T, r *signingkey.Ring) (string, ed25519.PrivateKey) {
	t.Helper()
	id, key, err := r.Primary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id, key
}

func TestTheFirstStartMakesAKeyAndEveryOtherFindsIt(t *testing.T) {
	store, keys := &table{}, sealer(t)
	first, err := signingkey.Open(t.Context(), config(store, keys))
	if err != nil {
		t.Fatal(err)
	}
	second, err := signingkey.Open(t.Context(), config(store, keys))
	if err != nil {
		t.Fatal(err)
	}
	id, private := primary(t, first)
	if other, same := primary(t, second); id != other || !private.Equal(same) {
		t.Error("the second start has another key")
	}
	if bytes.Contains(store.keys[0].Sealed, private.Seed()) {
		t.Error("the key is stored in clear")
	}
}

func TestAKeyThatTheKeysetCannotOpenStopsTheStart(t *testing.T) {
	store := &table{}
	if _, err := signingkey.Open(t.Context(), config(store, sealer(t))); err != nil {
		t.Fatal(err)
	}
	if _, err := signingkey.Open(t.Context(), config(store, sealer(t))); err == nil {
		t.Error("a start with another keyset made tokens of its own")
	}
}

func TestAnExchangedPublicKeyStopsTheStart(t *testing.T) {
	store, keys := &table{}, sealer(t)
	if _, err := signingkey.Open(t.Context(), config(store, keys)); err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	store.keys[0].Public = other
	if _, err := signingkey.Open(t.Context(), config(store, keys)); err == nil {
		t.Error("the public key of somebody else was taken")
	}
	store.keys[0].ID = signingkey.Thumbprint(other)
	if _, err := signingkey.Open(t.Context(), config(store, keys)); err == nil {
		t.Error("a sealed key was taken under another id")
	}
}

func TestAStandbyThatTheKeysetCannotOpenIsNotCalledKnown(t *testing.T) {
	store := &table{}
	r, err := signingkey.Open(t.Context(), config(store, sealer(t)))
	if err != nil {
		t.Fatal(err)
	}
	// Made by a replica with a newer keyset.
	foreign := &table{}
	newer, err := signingkey.Open(t.Context(), config(foreign, sealer(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := newer.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.keys = append(store.keys, foreign.keys[1])
	if err := r.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id, _ := primary(t, r); !slices.Equal(store.known, []string{id}) {
		t.Errorf("known %v", store.known)
	}
	if len(store.keys) != 2 {
		t.Error("a second standby was made")
	}
}

// What a replica has read counts for a while only, by its own clock that goes on
// while the process stands still.
func TestAReplicaThatStoodStillAsksBeforeItSignsOrSaysThatAKeyIsUnknown(t *testing.T) {
	store, keys := &table{}, sealer(t)
	cfg := config(store, keys)
	clock := leaseclocktest.New(0)
	cfg.Clock = clock
	r, err := signingkey.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	old, _ := primary(t, r)
	if err := r.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	standby := store.keys[1].ID
	store.promote()
	if id, _ := primary(t, r); id != old {
		t.Errorf("asked for nothing: %s", id)
	}
	clock.SetWall(signingkey.Lease)
	if id, _ := primary(t, r); id != standby {
		t.Errorf("signs with %s after the lease", id)
	}
	clock.SetWall(signingkey.Lease)
	store.fail(errors.New("connection refused"))
	if _, _, err := r.Key(t.Context(), "invented"); !errors.Is(err, token.ErrKeysUnavailable) {
		t.Errorf("without a database: %v", err)
	}
	if _, _, err := r.Primary(t.Context()); !errors.Is(err, signingkey.ErrUnavailable) {
		t.Errorf("signs without a database: %v", err)
	}
	if _, err := r.All(t.Context()); !errors.Is(err, signingkey.ErrUnavailable) {
		t.Errorf("shows an old set: %v", err)
	}
	if _, _, err := r.Key(t.Context(), old); err != nil {
		t.Errorf("a known key needs no database: %v", err)
	}
}

func TestAKeyThatIsRefusedHereSignsNothingHere(t *testing.T) {
	store, keys := &table{}, sealer(t)
	cfg := config(store, keys)
	refused := ""
	cfg.Revoked = func(kid string) bool { return kid == refused }
	r, err := signingkey.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	old, _ := primary(t, r)
	store.promote()
	refused = old
	if id, _ := primary(t, r); id == old {
		t.Error("signs with a key whose tokens it refuses")
	}
	refused, _ = primary(t, r)
	if _, _, err := r.Primary(t.Context()); !errors.Is(err, signingkey.ErrUnavailable) {
		t.Errorf("no key is left: %v", err)
	}
}

func TestOneLookServesAllWhoWait(t *testing.T) {
	store, keys := &table{}, sealer(t)
	cfg := config(store, keys)
	clock := leaseclocktest.New(0)
	cfg.Clock = clock
	r, err := signingkey.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	clock.SetWall(signingkey.Lease)
	asked := store.asked
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, _, err := r.Primary(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := store.asked - asked; n != 1 {
		t.Errorf("asked %d times", n)
	}
}
