package postgres

import (
	"testing"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

func TestACorrectionHasTheConditionsOfABatch(t *testing.T) {
	d := newDesk(t)
	zombie, owner := d.session(t), d.session(t)
	l := commit(t, zombie, take(t, zombie), 10)
	take(t, owner)
	for _, f := range []ledger.Finding{
		{Kind: ledger.Truncated, Next: 4, TopicID: topicID, LeaderEpoch: 2},
		{Kind: ledger.Gap, Next: 40, TopicID: topicID, LeaderEpoch: 2},
		{Kind: ledger.Recreated, Next: 0, TopicID: otherID, LeaderEpoch: -1},
	} {
		_, err := zombie.Correct(t.Context(), l, f)
		wantFenced(t, err)
	}
	if n := d.number(t, "SELECT count(*) FROM ledger_events"); n != 0 {
		t.Errorf("%d events are recorded", n)
	}
}

func TestACutLogSetsTheRowAndTheSearchBackAndIsRecorded(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	l := commit(t, s, take(t, s), 10)
	if _, err := d.pool.Exec(t.Context(), "UPDATE ledger SET search_off = 8, search_epoch = 1"); err != nil {
		t.Fatal(err)
	}
	l, err := s.Correct(t.Context(), l, ledger.Finding{Kind: ledger.Truncated, Next: 4, TopicID: topicID, LeaderEpoch: 2, PossibleLoss: true})
	if err != nil || l.Next != 4 || l.LeaderEpoch != 2 {
		t.Fatalf("lease %+v, %v", l, err)
	}
	if n := d.number(t, "SELECT count(*) FROM ledger WHERE next_off = 4 AND search_off = 4 AND search_epoch = 2 AND leader_epoch = 2"); n != 1 {
		t.Error("the row is not set back as a whole")
	}
	if n := d.number(t, "SELECT count(*) FROM ledger_events WHERE kind = 'truncated' AND from_off = 10 AND to_off = 4 AND old_leader_epoch = 0 AND new_leader_epoch = 2 AND possible_loss"); n != 1 {
		t.Error("the event is not recorded")
	}
	commit(t, s, l, 2)
}

func TestAGapIsRecordedAndKeepsTheSearch(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	l := commit(t, s, take(t, s), 10)
	if _, err := s.Correct(t.Context(), l, ledger.Finding{Kind: ledger.Gap, Next: 50, TopicID: topicID, LeaderEpoch: 0}); err != nil {
		t.Fatal(err)
	}
	if n := d.number(t, "SELECT count(*) FROM ledger WHERE next_off = 50 AND search_off = 0 AND search_epoch = 0"); n != 1 {
		t.Error("the row is not behind the gap")
	}
	if n := d.number(t, "SELECT count(*) FROM ledger_events WHERE kind = 'gap' AND from_off = 10 AND to_off = 50"); n != 1 {
		t.Error("the gap is not recorded")
	}
}

func TestTheRowNeverReturnsToATopicIDItHasLeft(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	l := commit(t, s, take(t, s), 10)
	l, err := s.Correct(t.Context(), l, ledger.Finding{Kind: ledger.Recreated, Next: 0, TopicID: otherID, LeaderEpoch: -1})
	if err != nil || l.TopicID != otherID || l.Next != 0 {
		t.Fatalf("lease %+v, %v", l, err)
	}
	left, err := s.HasLeft(t.Context(), key, topicID)
	if err != nil || !left {
		t.Errorf("the old id is left: %v, %v", left, err)
	}
	_, err = s.Correct(t.Context(), l, ledger.Finding{Kind: ledger.Recreated, Next: 0, TopicID: topicID, LeaderEpoch: -1})
	wantFenced(t, err)
}

func TestTheStartPositionHoldsForThePartitionsOfTheFirstStart(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	books := &Books{Pool: d.pool, Group: group}
	first := []ledger.Opening{{Key: key, TopicID: topicID, Offset: 77}}
	if err := books.Open(t.Context(), key.Topic, "latest", first); err != nil {
		t.Fatal(err)
	}
	later := []ledger.Opening{{Key: key, TopicID: topicID, Offset: 99}, {Key: ledger.Key{Topic: key.Topic, Partition: 9}, TopicID: topicID, Offset: 99}}
	if err := books.Open(t.Context(), key.Topic, "latest", later); err != nil {
		t.Fatal(err)
	}
	if l := take(t, s); l.Next != 77 {
		t.Errorf("the partition begins at %d", l.Next)
	}
	l, err := s.Take(t.Context(), ledger.Grant{Key: ledger.Key{Topic: key.Topic, Partition: 9}}, 1)
	if err != nil || l.Next != 0 {
		t.Errorf("a partition that appeared later begins at %d, %v", l.Next, err)
	}
}

func TestWhatIsStoredOfOlderLeaderEpochsEndsWhereTheNextBegan(t *testing.T) {
	d := newDesk(t)
	s := d.session(t)
	l := take(t, s)
	for _, epoch := range []int32{1, 3, 5} {
		b := rows(l, 10)
		b.Parts[0].LeaderEpoch = epoch
		if err := s.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		l.Next += 10
	}
	want := func(epoch int32, end int64) {
		t.Helper()
		if to, err := s.StoredTo(t.Context(), l, epoch); err != nil || to != end {
			t.Errorf("up to epoch %d it is stored to %d, %v; want %d", epoch, to, err, end)
		}
	}
	want(0, 0)
	want(2, 10)
	want(4, 20)
	if _, err := d.pool.Exec(t.Context(), "DELETE FROM batches WHERE leader_epoch < 5"); err != nil {
		t.Fatal(err)
	}
	want(4, 20)
	other := l
	other.TopicID = otherID
	if to, err := s.StoredTo(t.Context(), other, 4); err != nil || to != l.Next {
		t.Errorf("of another topic id: %d, %v", to, err)
	}
}
