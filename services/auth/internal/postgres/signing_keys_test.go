package postgres_test

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	"github.com/curfew-platform/curfew/pkg/server/keyset/keysettest"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// rings are replicas that share the database and the keyset.
type rings struct {
	db

	keys *keyset.Set
}

func newRings(t *testing.T) rings {
	t.Helper()
	return rings{open(t), keysettest.New(t)}
}

func (r rings) open(t *testing.T, replica string) *signingkey.Ring {
	t.Helper()
	ring, err := signingkey.Open(t.Context(), signingkey.Config{
		Store: r.Store, Sealer: r.keys, Reader: signingkey.Reader{Replica: replica, Incarnation: "1"}, Clock: leaseclock.System(),
		Log: slog.New(slog.DiscardHandler), Announce: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func tend(t *testing.T, list ...*signingkey.Ring) {
	t.Helper()
	for _, ring := range list {
		if err := ring.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func primaryOf(t *testing.T, ring *signingkey.Ring) string {
	t.Helper()
	id, _, err := ring.Primary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func knows(t *testing.T, ring *signingkey.Ring, kid string) bool {
	t.Helper()
	list, err := ring.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(list, func(k signingkey.Public) bool { return k.ID == kid })
}

// standby is the next key.
func (r rings) standby(t *testing.T) string {
	t.Helper()
	return scan[string](t, r.db, `SELECT kid FROM signing_keys WHERE NOT is_primary AND retired_at IS NULL`)
}

// announced lets the time of the announcement pass.
func (r rings) announced(t *testing.T) {
	t.Helper()
	r.exec(t, `UPDATE signing_keys SET known_at = known_at - interval '2 minutes'`)
}

func TestEveryReplicaKnowsAKeyBeforeItSigns(t *testing.T) {
	r := newRings(t)
	one, two := r.open(t, "one"), r.open(t, "two")
	old := primaryOf(t, one)
	rotate := func() error {
		_, err := r.Rotate(t.Context(), "", time.Minute)
		return err
	}
	tend(t, one) // makes the standby
	tend(t, one) // two has not heard of it
	if err := rotate(); !errors.Is(err, signingkey.ErrNotReady) {
		t.Fatalf("a key that two does not know signs: %v", err)
	}
	if n := scan[int](t, r.db, `SELECT count(*) FROM signing_keys WHERE known_at IS NOT NULL`); n != 0 {
		t.Fatal("it is noted as known")
	}
	next := r.standby(t)
	tend(t, two, one)
	var wait *signingkey.NotReadyError
	if err := rotate(); !errors.As(err, &wait) || wait.RetryAfter > time.Minute || wait.RetryAfter < 50*time.Second {
		t.Fatalf("known, and not for a minute: %v", err)
	}
	r.announced(t)
	// A replica that joins late reads the key at its start.
	three := r.open(t, "three")
	if err := rotate(); err != nil {
		t.Fatal(err)
	}
	for _, ring := range []*signingkey.Ring{one, two, three} {
		if !knows(t, ring, next) || !knows(t, ring, old) {
			t.Error("a replica does not verify with one of the keys")
		}
	}
	tend(t, one, two)
	if primaryOf(t, one) != next || primaryOf(t, two) != next {
		t.Error("the new key does not sign")
	}
}

func TestAReplicaOfTheReleaseBeforeHoldsTheRotationBack(t *testing.T) {
	r := newRings(t)
	one := r.open(t, "one")
	tend(t, one, one)
	r.announced(t)
	// It follows the feed and reads the keys at its start only.
	r.exec(t, `INSERT INTO revocation_engines (replica, incarnation, generation, watermark, watchers, lapsed, renewals, length, lease_until)
		VALUES ('before', '1', '', 0, 0, 0, 1, '6s', now() + interval '1 hour')`)
	if _, err := r.Rotate(t.Context(), "", time.Minute); !errors.Is(err, signingkey.ErrNotReady) {
		t.Errorf("rotated: %v", err)
	}
	r.exec(t, `UPDATE revocation_engines SET lease_until = now() - interval '1 second'`)
	if _, err := r.Rotate(t.Context(), "", time.Minute); err != nil {
		t.Errorf("after its end: %v", err)
	}
}

func TestADeadReplicaHoldsTheRotationBackForALeaseOnly(t *testing.T) {
	r := newRings(t)
	one := r.open(t, "one")
	r.open(t, "dead")
	tend(t, one, one)
	if n := scan[int](t, r.db, `SELECT count(*) FROM signing_keys WHERE known_at IS NOT NULL`); n != 0 {
		t.Fatal("noted as known though a replica that is just not heard of does not know it")
	}
	r.exec(t, `UPDATE signing_key_readers SET seen_at = seen_at - interval '16 seconds' WHERE replica = 'dead'`)
	tend(t, one)
	r.announced(t)
	if _, err := r.Rotate(t.Context(), "", time.Minute); err != nil {
		t.Error(err)
	}
}

func TestOfRotationsAtOnceOneCounts(t *testing.T) {
	r := newRings(t)
	one := r.open(t, "one")
	old := primaryOf(t, one)
	tend(t, one, one)
	r.announced(t)
	next := r.standby(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if k, err := r.Rotate(t.Context(), old, time.Minute); err != nil || k.ID != next || k.State != signingkey.Primary {
				t.Errorf("%+v, %v", k, err)
			}
		})
	}
	wg.Wait()
	if n := scan[int](t, r.db, `SELECT count(*) FROM signing_keys WHERE is_primary`); n != 1 {
		t.Errorf("%d primary keys", n)
	}
}

func TestTheKeyIsRotatedByAgeOnce(t *testing.T) {
	r := newRings(t)
	one := r.open(t, "one")
	tend(t, one, one)
	rotated := func(age time.Duration) bool {
		t.Helper()
		done, err := r.RotateAfter(t.Context(), age, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if rotated(0) {
		t.Error("rotated to a key that was not announced")
	}
	r.announced(t)
	if rotated(time.Hour) {
		t.Error("rotated before its time")
	}
	r.exec(t, `UPDATE signing_keys SET primary_at = primary_at - interval '1 hour' WHERE is_primary`)
	if !rotated(time.Hour) || rotated(time.Hour) {
		t.Error("not rotated once")
	}
}

// Its INSERT does not say since when the key signs.
func TestAFirstKeyOfTheReleaseBeforeIsRotatedByItsAgeToo(t *testing.T) {
	r := newRings(t)
	one := r.open(t, "one")
	tend(t, one, one)
	r.announced(t)
	r.exec(t, `UPDATE signing_keys SET primary_at = NULL, created_at = now() - interval '2 hours' WHERE is_primary`)
	list, err := r.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(k signingkey.Key) bool { return k.State == signingkey.Primary })
	if age := time.Since(list[i].PrimaryAt); age < time.Hour || age > 3*time.Hour {
		t.Errorf("it signs for %v", age)
	}
	if done, err := r.RotateAfter(t.Context(), time.Hour, time.Minute); err != nil || !done {
		t.Errorf("rotated = %t, %v", done, err)
	}
}

func TestTheOldKeyIsShownUntilTheLastOfItsTokensIsOver(t *testing.T) {
	r := newRings(t)
	one := r.open(t, "one")
	old := primaryOf(t, one)
	tend(t, one, one)
	r.announced(t)
	if _, err := r.Rotate(t.Context(), "", time.Minute); err != nil {
		t.Fatal(err)
	}
	r.exec(t, `UPDATE signing_keys SET retired_at = retired_at - interval '9 minutes' WHERE retired_at IS NOT NULL`)
	tend(t, one)
	if !knows(t, one, old) {
		t.Error("not shown, and a token of it may live (10 minutes)")
	}
	r.exec(t, `UPDATE signing_keys SET retired_at = retired_at - interval '2 minutes' WHERE retired_at IS NOT NULL`)
	tend(t, one)
	if knows(t, one, old) {
		t.Error("still shown")
	}
	if _, err := r.CleanUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err := r.SigningKeys(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("%v, %v", list, err)
	}
	r.exec(t, `UPDATE signing_keys SET retired_at = retired_at - interval '9 days' WHERE retired_at IS NOT NULL`)
	if _, err := r.CleanUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err := r.SigningKeys(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestARevokedKeyHasOneRuleAndTheStandbyInItsPlace(t *testing.T) {
	r := newRings(t)
	one := r.open(t, "one")
	old := primaryOf(t, one)
	if _, _, _, err := r.RevokeKey(t.Context(), old, time.Minute, nil); !errors.Is(err, signingkey.ErrNotReady) {
		t.Errorf("without a standby: %v", err)
	}
	tend(t, one, one)
	r.announced(t)
	next := r.standby(t)
	revoked, primary, seq, err := r.RevokeKey(t.Context(), old, time.Minute, nil)
	if err != nil || revoked.State != signingkey.Revoked || primary.ID != next || primary.State != signingkey.Primary || seq == 0 {
		t.Fatalf("%+v, %+v, %d, %v", revoked, primary, seq, err)
	}
	// Again, when there is no standby: the rule is there.
	if _, primary, again, err := r.RevokeKey(t.Context(), old, time.Minute, nil); err != nil || again != seq || primary.ID != next {
		t.Errorf("again: %+v, %d, %v", primary, again, err)
	}
	if n := scan[int](t, r.db, `SELECT count(*) FROM revocation_rules WHERE kind = 'key' AND subject = $1 AND keep_until > now() + interval '6 days'`, old); n != 1 {
		t.Errorf("%d rules", n)
	}
	if _, _, _, err := r.RevokeKey(t.Context(), "nobody's", time.Minute, nil); !errors.Is(err, signingkey.ErrNotFound) {
		t.Errorf("an unknown key: %v", err)
	}
	// A standby may be revoked too, and another one is made.
	tend(t, one)
	second := r.standby(t)
	if _, primary, _, err := r.RevokeKey(t.Context(), second, time.Minute, nil); err != nil || primary.ID != next {
		t.Errorf("the standby: %+v, %v", primary, err)
	}
	tend(t, one)
	if r.standby(t) == second {
		t.Error("no other standby")
	}
}

func TestAnEmergencyWaitsForNobody(t *testing.T) {
	r := newRings(t)
	one, two := r.open(t, "one"), r.open(t, "two")
	old := primaryOf(t, one)
	tend(t, one) // makes the standby, of which two has not heard
	next := r.standby(t)
	candidate, err := one.Candidate()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := r.RevokeKey(t.Context(), old, time.Minute, nil); !errors.Is(err, signingkey.ErrNotReady) {
		t.Fatalf("no emergency: %v", err)
	}
	for range 2 { // repeated, it does nothing
		if _, primary, seq, err := r.RevokeKey(t.Context(), old, time.Minute, &candidate); err != nil || primary.ID != next || seq == 0 {
			t.Fatalf("%+v, %d, %v", primary, seq, err)
		}
	}
	// The next one was stolen too, and there is no standby.
	if _, primary, _, err := r.RevokeKey(t.Context(), next, time.Minute, &candidate); err != nil || primary.ID != candidate.ID || primary.State != signingkey.Primary {
		t.Fatalf("without a standby: %+v, %v", primary, err)
	}
	for _, ring := range []*signingkey.Ring{one, two} {
		if _, _, err := ring.Key(t.Context(), candidate.ID); err != nil {
			t.Errorf("a token of it is called unknown: %v", err)
		}
		if kid := primaryOf(t, ring); kid != candidate.ID {
			t.Errorf("%s signs", kid)
		}
	}
	if n := scan[int](t, r.db, `SELECT count(*) FROM revocation_rules WHERE kind = 'key'`); n != 2 {
		t.Errorf("%d rules", n)
	}
	tend(t, one, two)
	if r.standby(t) == candidate.ID {
		t.Error("no other standby")
	}
}
