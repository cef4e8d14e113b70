package lag_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/lag"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

var (
	key   = ledger.Key{Topic: "logs", Partition: 3}
	begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

type step struct {
	second, next, records int64
	behind, still         int64 // seconds
}

func walk(t *testing.T, steps []step) {
	t.Helper()
	var h lag.History
	for _, s := range steps {
		got := h.Sample(key, begin.Add(time.Duration(s.second)*time.Second), s.next, s.records)
		want := lag.Figures{Records: s.records, Behind: time.Duration(s.behind) * time.Second, Still: time.Duration(s.still) * time.Second}
		if got != want {
			t.Errorf("after %d s: %+v, want %+v", s.second, got, want)
		}
	}
}

func TestAPartitionIsBehindSinceTheOldestEndAboveItsPosition(t *testing.T) {
	walk(t, []step{
		{second: 0, next: 100},
		{second: 10, next: 100, records: 50, still: 10},           // the end is 150 from now on
		{second: 20, next: 120, records: 80, behind: 10},          // 200
		{second: 30, next: 150, records: 100, behind: 10},         // 250; all that was there at 10 is stored
		{second: 40, next: 240, records: 20, behind: 10},          // 260; all of 20 too
		{second: 50, next: 260},                                   // nothing is left
		{second: 60, next: 260, records: 1, behind: 0, still: 10}, // nothing above it until now
	})
}

func TestAPartitionThatDoesNotMoveStandsStillOnlyWhileThereIsSomethingAboveIt(t *testing.T) {
	walk(t, []step{
		{second: 0, next: 5, records: 3},
		{second: 30, next: 5, records: 3, behind: 30, still: 30},
		{second: 60, next: 5, records: 9, behind: 60, still: 60},
		{second: 90, next: 6, records: 8, behind: 90},
		{second: 120, next: 14},
		{second: 900, next: 14},
		{second: 910, next: 14, records: 2, still: 10},
	})
}

func TestALogThatWasCutIsNotBehindByWhatIsGone(t *testing.T) {
	walk(t, []step{
		{second: 0, next: 100, records: 900},
		{second: 10, next: 100, records: 5, still: 10}, // the end is 105 and was 1000
		{second: 20, next: 0, records: 7, behind: 0},   // the topic was made again
	})
}

func TestTheHistoryOfAPartitionIsBounded(t *testing.T) {
	var h lag.History
	for i := range int64(10_000) {
		h.Sample(key, begin.Add(time.Duration(i)*time.Second), 0, i+1)
	}
	got := h.Sample(key, begin.Add(10_000*time.Second), 0, 10_001)
	if got.Behind != 10_000*time.Second {
		t.Errorf("the oldest sample was forgotten: %+v", got)
	}
	// 90 % are stored at once: what is left was there for about a tenth of the time.
	got = h.Sample(key, begin.Add(10_001*time.Second), 9_000, 1_001)
	if got.Behind < 800*time.Second || got.Behind > 1000*time.Second {
		t.Errorf("got %+v", got)
	}
}
