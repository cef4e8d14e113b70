package postgres_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// overlap begins a login that was verified before change, commits change while
// the login waits, and returns what became of it.
func overlap(t *testing.T, d db, user uuid.UUID, change string) error {
	t.Helper()
	release := d.hold(t, change, user)
	done := make(chan error, 1)
	n := verified(t, user)
	go func() {
		_, err := d.OpenSession(t.Context(), n)
		done <- err
	}()
	d.awaitBlocked(t, 1)
	release()
	return <-done
}

// L AB_NOLOCK, AB_NORECHECK: else a session of the old password lives on.
func TestALoginWithTheOldPasswordThatOverlapsChangePasswordOpensNothing(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	err := overlap(t, d, user, `UPDATE users SET cred_version = 2, epoch = 2 WHERE id = $1`)
	if !errors.Is(err, account.ErrAccountChanged) {
		t.Errorf("err = %v", err)
	}
	if n := scan[int](t, d, `SELECT count(*) FROM sessions`); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestALoginThatOverlapsDeactivateOpensNothing(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	if err := overlap(t, d, user, `UPDATE users SET active = false WHERE id = $1`); !errors.Is(err, account.ErrAccountChanged) {
		t.Errorf("err = %v", err)
	}
}

// The epoch of a token is that of the row version that was verified.
func TestALoginThatOverlapsSetUserRolesStartsAgain(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	if err := overlap(t, d, user, `UPDATE users SET epoch = 2 WHERE id = $1`); !errors.Is(err, account.ErrAccountChanged) {
		t.Errorf("err = %v", err)
	}
}

// L AB_NOLOCK -DNOCHG: 24 logins at once and a cap of 2 gave 21 live sessions
// without the lock.
func TestLoginsAtOnceNeverExceedTheCap(t *testing.T) {
	const logins, limit = 24, 2
	d := open(t, logins+2)
	user := d.user(t).ID
	release := d.hold(t, `SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE`, user)
	var wg sync.WaitGroup
	for range logins {
		n := verified(t, user)
		n.Cap = limit
		wg.Go(func() {
			if _, err := d.OpenSession(t.Context(), n); err != nil {
				t.Error(err)
			}
		})
	}
	d.awaitBlocked(t, logins)
	release()
	wg.Wait()
	if n := scan[int](t, d, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL`); n != limit {
		t.Errorf("%d live sessions, the cap is %d", n, limit)
	}
	// L AB_EVICT_NO_RULE: else the access token of an evicted session is admitted.
	unruled := scan[int](t, d, `SELECT count(*) FROM sessions s WHERE revoked_at IS NOT NULL AND NOT EXISTS (
		SELECT 1 FROM revocation_rules r WHERE r.kind = 'session' AND r.subject = s.id::text)`)
	if unruled != 0 {
		t.Errorf("%d evicted sessions have no rule", unruled)
	}
}

func TestTheLeastRecentlyUsedSessionIsEvicted(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	used, idle := d.session(t, user), d.session(t, user)
	d.want(t, present(t, used.SessionID, 1), 2)
	n := verified(t, user)
	n.Cap = 2
	if _, err := d.OpenSession(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	d.refused(t, present(t, idle.SessionID, 1), account.ErrSessionRevoked)
	d.want(t, present(t, used.SessionID, 2), 2)
}
