package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// hold runs sql in a transaction that stays open until release commits it.
func (d db) hold(t *testing.T, sql string, args ...any) (release func()) {
	t.Helper()
	tx, err := d.pool.BeginTx(t.Context(), pgx.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }) // does nothing after the commit
	if _, err := tx.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitBlocked waits until n statements wait for locks.
func (d db) awaitBlocked(t *testing.T, n int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		blocked := scan[int](t, d, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
		if blocked >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d statements wait for a lock, want %d", blocked, n)
		}
		runtime.Gosched()
	}
}

// R AB_SIBLING, AB_RW: one statement whose verdict READ COMMITTED computes from
// the newest row version.
func TestSixteenSiblingsThatWaitOnTheRowGetOneGeneration(t *testing.T) {
	const siblings = 16
	d := open(t, siblings+2)
	s := d.session(t, d.user(t).ID)
	release := d.hold(t, `SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE`, s.SessionID)
	got := make(chan account.Generation, siblings)
	for range siblings {
		p := present(t, s.SessionID, 1)
		go func() {
			r, err := d.Refresh(t.Context(), p)
			if err != nil || r.Refused != nil {
				t.Errorf("refused %v, error %v", r.Refused, err)
			}
			got <- r.Generation
		}()
	}
	d.awaitBlocked(t, siblings)
	release()
	first := <-got
	for range siblings - 1 {
		if g := <-got; !same(first, g) || g.Number != 2 {
			t.Errorf("one got %+v, another %+v", first, g)
		}
	}
}

func TestARefreshThatWaitedBehindChangePasswordIsRefused(t *testing.T) {
	d := open(t)
	user := d.user(t).ID
	s := d.session(t, user)
	release := d.hold(t, `WITH u AS (UPDATE users SET epoch = 2 WHERE id = $1)
		UPDATE sessions SET revoked_at = now() WHERE user_id = $1`, user)
	done := make(chan account.Refreshed, 1)
	p := present(t, s.SessionID, 1)
	go func() {
		r, err := d.Refresh(t.Context(), p)
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	d.awaitBlocked(t, 1)
	release()
	if r := <-done; !errors.Is(r.Refused, account.ErrSessionRevoked) {
		t.Errorf("verdict = %+v", r)
	}
}

// The positions follow the commits: the head is locked, a sequence is not used.
func TestSixteenTheftsAtOnceHaveSixteenPositionsWithoutAGap(t *testing.T) {
	const thefts = 16
	d := open(t, thefts+2)
	user := d.user(t).ID
	var stale []account.Presented
	for range thefts {
		n := verified(t, user)
		n.Cap = thefts
		s, err := d.OpenSession(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		stale = append(stale, present(t, s.SessionID, 2))
	}
	d.exec(t, `UPDATE sessions SET gen = 5`)
	release := d.hold(t, `UPDATE revocation_head SET seq = seq`)
	var wg sync.WaitGroup
	for _, p := range stale {
		wg.Go(func() {
			if r, err := d.Refresh(t.Context(), p); err != nil || !errors.Is(r.Refused, account.ErrRefreshReused) {
				t.Errorf("verdict %+v, error %v", r, err)
			}
		})
	}
	d.awaitBlocked(t, thefts)
	release()
	wg.Wait()
	got := scan[string](t, d, `SELECT format('%s %s %s', count(DISTINCT seq), min(seq), max(seq)) FROM revocation_rules`)
	if want := fmt.Sprintf("%d 1 %d", thefts, thefts); got != want {
		t.Errorf("positions, lowest, highest = %s, want %s", got, want)
	}
}

// P: READ COMMITTED checks only the outer condition again.
func TestCleanUpKeepsASessionThatIsRenewedAtTheSameMoment(t *testing.T) {
	d := open(t)
	s := d.session(t, d.user(t).ID)
	d.exec(t, `UPDATE sessions SET expires_at = now() - interval '2 hours' WHERE id = $1`, s.SessionID)
	release := d.hold(t, `UPDATE sessions SET expires_at = now() + interval '1 day' WHERE id = $1`, s.SessionID)
	if _, err := d.CleanUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := d.CleanUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.want(t, present(t, s.SessionID, 1), 2)
}
