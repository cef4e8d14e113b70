package worker

import (
	"testing"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// stored sets the row to a position under a leader epoch.
func (s *stage) stored(next int64, leaderEpoch int32) {
	row := s.store.rows[keyA]
	row.Next, row.LeaderEpoch = next, leaderEpoch
	s.store.rows[keyA] = row
}

func TestALogThatHasForgottenTheLeaderEpochWasCutAboveWhatIsStoredOfOlderOnes(t *testing.T) {
	for name, c := range map[string]struct {
		end, storedTo, want int64
	}{
		"the older epoch has grown past what is stored of it": {end: 90, storedTo: 40, want: 40},
		"the older epoch was cut as well":                     {end: 30, storedTo: 40, want: 30},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil)
			s.stored(80, 3)
			s.store.storedTo = c.storedTo
			s.source.logs[keyA] = ledger.Log{TopicID: topicID, End: 1000, CurrentEpoch: 4, EpochEnd: c.end, EpochOfEnd: 2}
			s.grant(keyA)
			if len(s.store.corrected) != 1 || s.store.corrected[0].Kind != ledger.Truncated || s.store.corrected[0].Next != c.want {
				t.Errorf("corrections %+v", s.store.corrected)
			}
		})
	}
}

func TestOneCutIsRecordedOnceAndKafkaIsAskedAgain(t *testing.T) {
	s := newStage(t, nil)
	s.stored(80, 3)
	// The end of the epoch is below the log start, so the position after the
	// correction still is above it.
	s.source.logs[keyA] = ledger.Log{TopicID: topicID, Start: 60, End: 1000, CurrentEpoch: 4, EpochEnd: 40, EpochOfEnd: 3}
	s.grant(keyA)
	if len(s.store.corrected) != 1 {
		t.Fatalf("%d corrections for one cut", len(s.store.corrected))
	}
	asked := len(s.source.asked)
	s.source.logs[keyA] = ledger.Log{TopicID: topicID, Start: 60, End: 1000, CurrentEpoch: 4, EpochEnd: 1000, EpochOfEnd: 4}
	s.worker.check(t.Context())
	if len(s.source.asked) == asked || len(s.store.corrected) != 1 || s.source.reading[keyA] != 60 {
		t.Errorf("asked %d times, %d corrections, reading at %d", len(s.source.asked), len(s.store.corrected), s.source.reading[keyA])
	}
}

func TestABatchOfAPartitionIsOfOneLeaderEpoch(t *testing.T) {
	s := newStage(t, nil)
	s.source.logs[keyA] = ledger.Log{TopicID: topicID, End: 1000, CurrentEpoch: 2, EpochEnd: -1}
	s.grant(keyA)
	s.source.feed(keyA, 1, 0, 1)
	s.source.feed(keyA, 2, 2)
	s.round()
	s.round()
	if n := len(s.store.commits); n != 2 {
		t.Fatalf("%d commits", n)
	}
	for i, want := range []struct {
		to    int64
		epoch int32
	}{{2, 1}, {3, 2}} {
		if p := s.store.commits[i].Parts[0]; p.To != want.to || p.LeaderEpoch != want.epoch {
			t.Errorf("batch %d ends at %d in epoch %d", i, p.To, p.LeaderEpoch)
		}
	}
}
