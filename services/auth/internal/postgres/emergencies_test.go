package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// TestOfEmergenciesAtOnce: two administrators revoke the same key, and there is
// no next one. The second waits for the locks of the first, and then has to see
// the key that the first has made.
func TestOfEmergenciesAtOnceOneKeySignsAndBothAreTold(t *testing.T) {
	r := newRings(t)
	ring := r.open(t, "one")
	old := primaryOf(t, ring)
	release := r.hold(t, `SELECT 1 FROM signing_keys WHERE kid = $1 FOR UPDATE`, old)
	told := make([]signingkey.Key, 2)
	var admins sync.WaitGroup
	for i := range told {
		candidate, err := ring.Candidate()
		if err != nil {
			t.Fatal(err)
		}
		admins.Go(func() {
			revoked, primary, seq, err := r.RevokeKey(t.Context(), old, time.Minute, &candidate)
			if err != nil || seq == 0 || revoked.State != signingkey.Revoked {
				t.Errorf("%+v, %d, %v", revoked, seq, err)
			}
			told[i] = primary
		})
	}
	r.awaitBlocked(t, len(told))
	release()
	admins.Wait()
	if told[0].ID != told[1].ID || told[0].State != signingkey.Primary {
		t.Errorf("told %+v and %+v", told[0], told[1])
	}
	if n := scan[int](t, r.db, `SELECT count(*) FROM signing_keys WHERE is_primary`); n != 1 {
		t.Errorf("%d keys sign", n)
	}
	if n := scan[int](t, r.db, `SELECT count(*) FROM revocation_rules WHERE kind = 'key'`); n != 1 {
		t.Errorf("%d rules", n)
	}
}
