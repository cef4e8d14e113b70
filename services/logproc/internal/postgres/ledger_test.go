package postgres

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

func TestATakeFencesTheOwnerBefore(t *testing.T) {
	d := newDesk(t)
	zombie, owner := d.session(t), d.session(t)
	old := commit(t, zombie, take(t, zombie), 5)
	fresh := take(t, owner)
	if fresh.Epoch <= old.Epoch || fresh.Next != 5 {
		t.Fatalf("the take returned %+v", fresh)
	}
	wantFenced(t, zombie.Commit(t.Context(), rows(old, 5)))
	commit(t, owner, fresh, 5)
	if n := d.number(t, "SELECT count(*) FROM logs"); n != 10 {
		t.Errorf("%d rows", n)
	}
}

func TestABatchIsStoredOnlyAtTheExpectedPosition(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	l := take(t, s)
	commit(t, s, l, 5)
	// The same batch again, with the right epoch: as after a mistaken retry.
	wantFenced(t, s.Commit(t.Context(), rows(l, 5)))
	if n := d.number(t, "SELECT count(*) FROM logs"); n != 5 {
		t.Errorf("%d rows", n)
	}
}

func TestABatchIsStoredOnlyUnderItsTopicIDAndToken(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	l := take(t, s)
	for name, change := range map[string]func(*ledger.Lease){
		"another topic id": func(l *ledger.Lease) { l.TopicID = otherID },
		// After a failover that lost commits two owners may have the same epoch.
		"another token": func(l *ledger.Lease) { l.Token = uuid.New() },
		"an old epoch":  func(l *ledger.Lease) { l.Epoch-- },
	} {
		t.Run(name, func(t *testing.T) {
			wrong := l
			change(&wrong)
			wantFenced(t, s.Commit(t.Context(), rows(wrong, 1)))
		})
	}
	if n := d.number(t, "SELECT count(*) FROM logs"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestAnOwnerStoppedBeforeItsLastStatementsHoldsNoLockOfTheRow(t *testing.T) {
	d := newDesk(t)
	frozen, owner := d.session(t), d.session(t)
	l := take(t, frozen)
	conn, err := frozen.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := begin(t.Context(), conn.PgConn()); err != nil {
		t.Fatal(err)
	}
	if err := copyRows(t.Context(), conn.PgConn(), rows(l, 3)); err != nil {
		t.Fatal(err)
	}
	// Here it is stopped. The take must not wait for it.
	fresh := take(t, owner)
	commit(t, owner, fresh, 3)
	wantFenced(t, frozen.finish(t.Context(), conn.PgConn(), rows(l, 3), 1))
	if n := d.number(t, "SELECT count(*) FROM logs"); n != 3 {
		t.Errorf("%d rows", n)
	}
}

func TestANewEpochAfterALostConnectionNeedsTheOldOne(t *testing.T) {
	d := newDesk(t)
	s, thief := d.session(t), d.session(t)
	l := take(t, s)
	again, err := s.Recover(t.Context(), l)
	if err != nil || again.Epoch != l.Epoch+1 || again.Token != l.Token {
		t.Fatalf("recovered %+v, %v", again, err)
	}
	// What was sent under the old epoch may still arrive, and stores nothing.
	wantFenced(t, s.Commit(t.Context(), rows(l, 1)))
	take(t, thief)
	_, err = s.Recover(t.Context(), again)
	wantFenced(t, err)
}

func TestWhetherALostBatchIsStoredIsAskedOfTheTransaction(t *testing.T) {
	d := newDesk(t)
	s, successor := d.session(t), d.session(t)
	l := take(t, s)
	conn, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	xid, err := begin(t.Context(), conn.PgConn())
	if err != nil {
		t.Fatal(err)
	}
	if err := copyRows(t.Context(), conn.PgConn(), rows(l, 2)); err != nil {
		t.Fatal(err)
	}
	s.drop()
	// The successor stores the same records: next_off has moved all the same.
	commit(t, successor, take(t, successor), 2)
	if stored, err := s.Committed(t.Context(), xid); err != nil || stored {
		t.Errorf("the lost transaction is reported as stored: %v, %v", stored, err)
	}
}

func TestATransactionThatAFailoverHasUndoneIsNotCommitted(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	if stored, err := s.Committed(t.Context(), 1<<40+12345); err != nil || stored {
		t.Errorf("a transaction of the future is stored: %v, %v", stored, err)
	}
}

func TestACommitWithoutAnAnswerIsUnknownAndNamesItsTransaction(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	l := take(t, s)
	blocker, err := d.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blocker.Rollback(context.Background()) }()
	if _, err := blocker.Exec(t.Context(), "SELECT FROM ledger FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	// The last statements wait for the row; the connection breaks meanwhile.
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Commit(ctx, rows(l, 2)) }()
	for d.number(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()") == 0 {
		if t.Context().Err() != nil {
			t.Fatal("the batch does not wait for the row")
		}
	}
	cancel()
	err = <-result
	var unknown *batch.UnknownError
	if !errors.As(err, &unknown) || unknown.XID == 0 {
		t.Fatalf("error is %v", err)
	}
	if err := blocker.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := s.Recover(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := s.Committed(t.Context(), unknown.XID)
	if err != nil {
		t.Fatal(err)
	}
	if (again.Next == 2) != stored {
		t.Errorf("stored is %v, the row is at %d", stored, again.Next)
	}
}

func TestTriesCountTakesWithoutProgress(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	if l := take(t, s); l.Tries != 0 || l.IsolateTo != 0 {
		t.Errorf("the first take has tries %d", l.Tries)
	}
	l := take(t, s)
	if l.Tries != 1 || l.IsolateTo != l.Next+10_000 {
		t.Errorf("the second take has tries %d, isolates to %d", l.Tries, l.IsolateTo)
	}
	commit(t, s, l, 1)
	l = take(t, s)
	if l.Tries != 0 || l.IsolateTo != 0 {
		t.Errorf("after progress a take has tries %d, isolates to %d", l.Tries, l.IsolateTo)
	}
	if err := s.Release(t.Context(), l, false); err != nil {
		t.Fatal(err)
	}
	if l = take(t, s); l.Tries != 0 {
		t.Errorf("after a clean release a take has tries %d", l.Tries)
	}
}

func TestIsolationLastsToTheEndOfTheSuspectedRange(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	take(t, s)
	l := take(t, s)
	b := rows(l, 1)
	b.Parts[0].Isolated = true
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if again := take(t, s); again.Tries != 0 || again.IsolateTo != l.IsolateTo {
		t.Errorf("one stored record ended the isolation: %+v", again)
	}
}

func TestEvidenceIsAboutTheRecordThatWasBegunWith(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	books := &Books{Pool: d.pool, Group: group}
	l := take(t, s)
	if _, _, ok, err := books.AddEvidence(t.Context(), key, l.Token, ""); err != nil || ok {
		t.Errorf("evidence without a begun record: %v, %v", ok, err)
	}
	if err := s.Suspect(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	offset, evidence, ok, err := books.AddEvidence(t.Context(), key, l.Token, "panic: x")
	if err != nil || !ok || offset != 0 || evidence != 1 {
		t.Errorf("evidence %d of %d, %v, %v", evidence, offset, ok, err)
	}
	if _, _, ok, _ := books.AddEvidence(t.Context(), key, l.Token, ""); ok {
		t.Error("one death counts twice")
	}
	l = take(t, s)
	if l.Evidence != 1 || l.LastWords != "panic: x" {
		t.Errorf("the take knows of evidence %d, %q", l.Evidence, l.LastWords)
	}
	if err := s.Suspect(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	commit(t, s, l, 1)
	if _, _, ok, _ := books.AddEvidence(t.Context(), key, l.Token, ""); ok {
		t.Error("a stored record is blamed")
	}
}

func TestSettlingEndsTheLeaseAndCountsWhatWasCommitted(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	books := &Books{Pool: d.pool, Group: group}
	l := take(t, s)
	l = commit(t, s, commit(t, s, l, 4), 3)
	sum, err := books.Settle(t.Context(), key, l.Token)
	if err != nil || sum.Stored != 7 || sum.Read != 7 {
		t.Errorf("settled %+v, %v", sum, err)
	}
	wantFenced(t, s.Commit(t.Context(), rows(l, 1)))
}
