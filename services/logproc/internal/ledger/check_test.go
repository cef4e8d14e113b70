package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

var (
	idA = uuid.MustParse("00000000-0000-0000-0000-00000000000a")
	idB = uuid.MustParse("00000000-0000-0000-0000-00000000000b")
)

func TestCheck(t *testing.T) {
	lease := Lease{TopicID: idA, Next: 100, LeaderEpoch: 3}
	for name, c := range map[string]struct {
		lease Lease
		log   Log
		left  bool
		want  Finding
	}{
		"in range under the same leader epoch reads on": {
			lease: lease, log: Log{TopicID: idA, Start: 0, End: 200, CurrentEpoch: 3, EpochEnd: 200},
			want: Finding{Kind: InPlace, Next: 100, TopicID: idA, LeaderEpoch: 3},
		},
		"a new leader that kept everything changes nothing": {
			lease: lease, log: Log{TopicID: idA, Start: 0, End: 200, CurrentEpoch: 4, EpochEnd: 100},
			want: Finding{Kind: InPlace, Next: 100, TopicID: idA, LeaderEpoch: 3},
		},
		"a cut log sets the row back even when it has grown past it again": {
			lease: lease, log: Log{TopicID: idA, Start: 0, End: 500, CurrentEpoch: 4, EpochEnd: 60},
			want: Finding{Kind: Truncated, Next: 60, TopicID: idA, LeaderEpoch: 4},
		},
		"a cut at or below the log start may have lost records unseen": {
			lease: lease, log: Log{TopicID: idA, Start: 60, End: 500, CurrentEpoch: 4, EpochEnd: 60},
			want: Finding{Kind: Truncated, Next: 60, TopicID: idA, LeaderEpoch: 4, PossibleLoss: true},
		},
		"below the log start is a gap": {
			lease: lease, log: Log{TopicID: idA, Start: 150, End: 200, CurrentEpoch: 3, EpochEnd: 200},
			want: Finding{Kind: Gap, Next: 150, TopicID: idA, LeaderEpoch: 3},
		},
		"a gap under another leader epoch has no lower end": {
			lease: lease, log: Log{TopicID: idA, Start: 150, End: 200, CurrentEpoch: 4, EpochEnd: 150},
			want: Finding{Kind: Gap, Next: 150, TopicID: idA, LeaderEpoch: 4, PossibleLoss: true},
		},
		"at the log start with a forgotten leader epoch a loss below cannot be excluded": {
			lease: lease, log: Log{TopicID: idA, Start: 100, End: 200, CurrentEpoch: 4, EpochEnd: 100},
			want: Finding{Kind: Gap, Next: 100, TopicID: idA, LeaderEpoch: 4, PossibleLoss: true},
		},
		"above the log end under the same leader waits and changes nothing": {
			lease: lease, log: Log{TopicID: idA, Start: 0, End: 40, CurrentEpoch: 3, EpochEnd: 100},
			want: Finding{Kind: AboveEnd, Next: 100, TopicID: idA, LeaderEpoch: 3},
		},
		"above the log end is never a gap, also when the epoch is unknown": {
			lease: lease, log: Log{TopicID: idA, Start: 0, End: 40, CurrentEpoch: 3, EpochEnd: -1},
			want: Finding{Kind: AboveEnd, Next: 100, TopicID: idA, LeaderEpoch: 3},
		},
		"a topic made again begins at 0": {
			lease: lease, log: Log{TopicID: idB, Start: 0, End: 500, CurrentEpoch: 0, EpochEnd: -1},
			want: Finding{Kind: Recreated, Next: 0, TopicID: idB, LeaderEpoch: -1},
		},
		"an id that the row has left is stale metadata": {
			lease: lease, log: Log{TopicID: idB, Start: 0, End: 500, CurrentEpoch: 0, EpochEnd: -1}, left: true,
			want: Finding{Kind: Stale, Next: 100, TopicID: idA, LeaderEpoch: 3},
		},
		"the first owner adopts the topic's id before anything is stored": {
			lease: Lease{Next: 7, LeaderEpoch: -1}, log: Log{TopicID: idA, Start: 0, End: 500, CurrentEpoch: 2, EpochEnd: -1},
			want: Finding{Kind: Adopted, Next: 7, TopicID: idA, LeaderEpoch: -1},
		},
		"nothing stored yet has no leader epoch to ask about": {
			lease: Lease{TopicID: idA, Next: 7, LeaderEpoch: -1}, log: Log{TopicID: idA, Start: 0, End: 500, CurrentEpoch: 2, EpochEnd: -1},
			want: Finding{Kind: InPlace, Next: 7, TopicID: idA, LeaderEpoch: -1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Check(c.lease, c.log, c.left)); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAfterACorrectionTheSameLogIsInPlace(t *testing.T) {
	for name, log := range map[string]Log{
		"cut":           {TopicID: idA, Start: 0, End: 500, CurrentEpoch: 4, EpochEnd: 60},
		"cut, trimmed":  {TopicID: idA, Start: 60, End: 500, CurrentEpoch: 4, EpochEnd: 60},
		"gap":           {TopicID: idA, Start: 150, End: 200, CurrentEpoch: 4, EpochEnd: 150},
		"possible loss": {TopicID: idA, Start: 100, End: 200, CurrentEpoch: 4, EpochEnd: 100},
		"recreated":     {TopicID: idB, Start: 0, End: 200, CurrentEpoch: 0, EpochEnd: -1},
	} {
		t.Run(name, func(t *testing.T) {
			l := Lease{TopicID: idA, Next: 100, LeaderEpoch: 3}
			f := Check(l, log, false)
			l.Next, l.TopicID, l.LeaderEpoch = f.Next, f.TopicID, f.LeaderEpoch
			// The leader answers for the epoch that the row has now: its own.
			log.EpochEnd = log.End
			if again := Check(l, log, false); again.Kind != InPlace {
				t.Errorf("%s is followed by %s", f.Kind, again.Kind)
			}
		})
	}
}

func TestSuspicionEndsWhereTheLogEndedAtTheTake(t *testing.T) {
	l := Lease{Next: 10, IsolateTo: 20}
	if !l.Suspected(15) || l.Suspected(10) || (Lease{Next: 20, IsolateTo: 20}).Suspected(30) {
		t.Error("suspected is [next, isolate_to) below the log end")
	}
}
