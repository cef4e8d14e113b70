package worker

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/fetch"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

func TestNextOffIsOneAboveTheLastRecordAcrossHoles(t *testing.T) {
	s := newStage(t, nil)
	s.grant(keyA)
	s.source.feed(keyA, 0, 0, 1, 7)
	s.round()
	if row := s.store.rows[keyA]; row.Next != 8 {
		t.Errorf("next_off is %d", row.Next)
	}
	if n := s.store.commits[0].Parts[0].Read(); n != 3 {
		t.Errorf("%d records are read", n)
	}
}

func TestControlRecordsMoveThePositionAndAreNoRecords(t *testing.T) {
	s := newStage(t, nil)
	s.grant(keyA)
	s.source.chunks = []fetch.Chunk{{Key: keyA, TopicID: topicID, Records: []fetch.Record{{Offset: 0, Value: []byte("x")}, {Offset: 1, Control: true}}}}
	s.round()
	if row := s.store.rows[keyA]; row.Next != 2 {
		t.Errorf("next_off is %d", row.Next)
	}
	if p := s.store.commits[0].Parts[0]; p.Read() != 1 || s.worker.slots[keyA].tally.Read != 1 {
		t.Errorf("a control record counts as one: %+v", p)
	}
}

func TestAFencedPartitionIsGivenUpAndTheOthersOfTheBatchAreStored(t *testing.T) {
	s := newStage(t, nil)
	s.grant(keyA, keyB)
	thief := s.store.rows[keyA]
	thief.Epoch++
	s.store.rows[keyA] = thief
	s.source.feed(keyA, 0, 0)
	s.source.feed(keyB, 0, 0, 1)
	s.round()
	if len(s.store.commits) != 1 || len(s.store.commits[0].Parts) != 1 || s.store.rows[keyB].Next != 2 {
		t.Errorf("commits %+v", s.store.commits)
	}
	if diff := cmp.Diff([]Kind{Fenced}, s.kinds()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if _, reading := s.source.reading[keyA]; reading {
		t.Error("a fenced partition is still read")
	}
	if s.store.rows[keyA].Epoch != thief.Epoch {
		t.Error("the worker took the partition by itself")
	}
}

func TestPartitionsOfABatchAreInAscendingOrder(t *testing.T) {
	s := newStage(t, nil)
	s.grant(keyB, keyA)
	s.source.feed(keyB, 0, 0)
	s.source.feed(keyA, 0, 0)
	s.round()
	if parts := s.store.commits[0].Parts; len(parts) != 2 || parts[0].Lease.Key != keyA {
		t.Errorf("parts %+v", parts)
	}
}

func TestAnUnknownOutcomeIsResolvedByANewEpochAndTheTransaction(t *testing.T) {
	for name, stored := range map[string]bool{"that was committed is not stored again": true, "that was rolled back is stored": false} {
		t.Run("a batch "+name, func(t *testing.T) {
			s := newStage(t, nil)
			s.grant(keyA)
			s.store.committed[7] = stored
			s.store.script = append(s.store.script, func(b *batch.Batch) error {
				if stored {
					_ = s.store.apply(b)
				}
				return &batch.UnknownError{XID: 7, Err: errors.New("connection lost")}
			})
			s.source.feed(keyA, 0, 0, 1)
			before := s.store.rows[keyA].Epoch
			s.round()
			if len(s.store.commits) != 1 || s.store.rows[keyA].Next != 2 {
				t.Errorf("%d commits, next_off %d", len(s.store.commits), s.store.rows[keyA].Next)
			}
			if s.store.rows[keyA].Epoch != before+1 {
				t.Error("no new epoch before anything else")
			}
			if diff := cmp.Diff([]uint64{7}, s.store.askedXID); diff != "" {
				t.Errorf("asked for transactions (-want +got):\n%s", diff)
			}
			if tally := s.worker.slots[keyA].tally; tally.Stored != 2 || tally.Lost() != 0 {
				t.Errorf("tally %+v", tally)
			}
		})
	}
}

func TestAfterALostConnectionTheLeaseGetsANewEpochBeforeTheNextBatch(t *testing.T) {
	s := newStage(t, nil)
	s.grant(keyA)
	s.store.script = append(s.store.script, func(*batch.Batch) error {
		s.store.lost = true
		return errors.New("connection lost")
	})
	s.source.feed(keyA, 0, 0)
	s.round()
	if s.store.recovered != 1 || s.store.rows[keyA].Next != 1 {
		t.Errorf("recovered %d times, next_off %d", s.store.recovered, s.store.rows[keyA].Next)
	}
}

func TestAnErrorThatIsNotAboutTheDataIsRetriedAndNeverADeadLetter(t *testing.T) {
	s := newStage(t, nil)
	s.grant(keyA)
	failing := func(*batch.Batch) error { return errors.New("disk full (SQLSTATE 53100)") }
	s.store.script = append(s.store.script, failing, failing)
	s.source.feed(keyA, 0, 0, 1)
	s.round()
	if len(s.store.commits) != 1 || len(s.store.commits[0].Dead) != 0 {
		t.Errorf("commits %+v", s.store.commits)
	}
}

func TestARefusedRecordIsFoundAloneAndItsNeighboursAreStored(t *testing.T) {
	s := newStage(t, nil)
	s.grant(keyA, keyB)
	refuse := func(b *batch.Batch) error {
		for _, p := range b.Parts {
			// The record at offset 3 of partition A makes a row.
			if p.Lease.Key == keyA && p.Lease.Next <= 3 && p.To > 3 && p.Dead == 0 {
				return &batch.RefusedError{State: "23514", Message: "check"}
			}
		}
		return s.store.apply(b)
	}
	for range 20 {
		s.store.script = append(s.store.script, refuse)
	}
	s.source.feed(keyA, 0, 0, 1, 2, 3, 4, 5)
	s.source.feed(keyB, 0, 0, 1)
	s.round()
	var dead []batch.DeadLetter
	for _, b := range s.store.commits {
		dead = append(dead, b.Dead...)
	}
	if len(dead) != 1 || dead[0].Identity.Offset != 3 || dead[0].Reason != batch.Refused {
		t.Errorf("dead letters %+v", dead)
	}
	if s.store.rows[keyA].Next != 6 || s.store.rows[keyB].Next != 2 {
		t.Errorf("rows %+v", s.store.rows)
	}
	if tally := s.worker.slots[keyA].tally; tally.Stored != 5 || tally.Dead != 1 || tally.Lost() != 0 {
		t.Errorf("tally %+v", tally)
	}
}

func TestARecordOfANewLeaderIsNotTakenBeforeTheLogIsChecked(t *testing.T) {
	s := newStage(t, nil)
	s.grant(keyA)
	s.source.feed(keyA, 0, 0, 1)
	s.round()
	asked := len(s.source.asked)
	// The log was cut at 1 and has grown again.
	s.source.logs[keyA] = ledger.Log{TopicID: topicID, End: 1000, CurrentEpoch: 1, EpochEnd: 1}
	s.source.feed(keyA, 1, 2, 3)
	s.round()
	if s.store.rows[keyA].Next != 1 || len(s.source.asked) == asked {
		t.Errorf("the cut was not seen: next_off %d", s.store.rows[keyA].Next)
	}
	if len(s.store.corrected) != 1 || s.store.corrected[0].Kind != ledger.Truncated {
		t.Errorf("corrections %+v", s.store.corrected)
	}
	s.source.logs[keyA] = ledger.Log{TopicID: topicID, End: 1000, CurrentEpoch: 1, EpochEnd: 1000, EpochOfEnd: 1}
	s.worker.check(t.Context())
	if s.source.reading[keyA] != 1 {
		t.Errorf("reading goes on at %d", s.source.reading[keyA])
	}
}

func TestARecordOfAnotherTopicIDIsNotStored(t *testing.T) {
	s := newStage(t, nil)
	s.grant(keyA)
	s.source.chunks = []fetch.Chunk{{Key: keyA, TopicID: otherID, Records: []fetch.Record{{Offset: 0, Value: []byte("x")}}}}
	s.source.logs[keyA] = ledger.Log{TopicID: otherID, End: 1000, EpochEnd: -1}
	s.round()
	if len(s.store.commits) != 0 {
		t.Errorf("commits %+v", s.store.commits)
	}
	if row := s.store.rows[keyA]; row.TopicID != otherID {
		t.Errorf("the row is not of the new topic: %+v", row)
	}
	if len(s.source.forgotten) != 1 {
		t.Error("the source still refuses the new id")
	}
}

func TestStaleMetadataAndALogThatEndsBelowChangeNothing(t *testing.T) {
	for name, log := range map[string]ledger.Log{
		"an id that was left": {TopicID: otherID, End: 1000, EpochEnd: -1},
		"a lagging broker":    {TopicID: topicID, End: 3, EpochEnd: -1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			s.store.left[otherID] = true
			row := s.store.rows[keyA]
			row.Next = 10
			s.store.rows[keyA] = row
			s.source.logs[keyA] = log
			s.grant(keyA)
			if _, reading := s.source.reading[keyA]; reading || len(s.store.corrected) != 0 {
				t.Errorf("reading %v, corrections %+v", reading, s.store.corrected)
			}
		})
	}
}

func TestWhatIsReadAndNotStoredIsHandedBack(t *testing.T) {
	s := newStage(t, nil)
	s.grant(keyA)
	s.source.feed(keyA, 0, 0, 1, 2)
	s.worker.accept(s.source.Poll(t.Context(), 10))
	released := s.worker.release(t.Context(), []ledger.Key{keyA})
	if tally := released[0].Tally; tally.Read != 3 || tally.HandedBack != 3 || tally.Lost() != 0 {
		t.Errorf("tally %+v", tally)
	}
}
