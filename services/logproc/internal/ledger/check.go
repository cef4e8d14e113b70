package ledger

import "github.com/google/uuid"

// Log is what Kafka says about a partition's log.
type Log struct {
	// TopicID is the id of the topic that has the name now.
	TopicID uuid.UUID
	// Start and End bound the offsets that exist: [Start, End).
	Start, End int64
	// CurrentEpoch is the epoch of the leader.
	CurrentEpoch int32
	// EpochEnd is where the log of the asked leader epoch ends, by
	// OffsetForLeaderEpoch; -1 if the leader does not know that epoch, or if
	// nothing was asked because no record was stored yet.
	EpochEnd int64
	// EpochOfEnd is the epoch that EpochEnd is about. It is below the asked one
	// if the log has nothing of that: see Forgotten.
	EpochOfEnd int32
}

// Forgotten says whether the log has no record of the epoch of the last stored
// one, but of an older one: what was stored above that was cut. EpochEnd then
// is the end of the older epoch in this log, which may have grown past what was
// stored of it, so the row goes on below the end of both.
func (l Log) Forgotten(of Lease) bool {
	return l.TopicID == of.TopicID && l.EpochEnd >= 0 && l.EpochOfEnd >= 0 && l.EpochOfEnd < of.LeaderEpoch
}

// Kind is what a check found.
type Kind string

// What a check can find. All but InPlace and AboveEnd are corrections, which
// are written to the ledger with the same conditions as a batch and recorded.
const (
	// InPlace: fetch from Next.
	InPlace Kind = "in_place"
	// AboveEnd: the log ends below Next though nothing says that it was cut. A
	// lagging broker: wait, alarm, change nothing.
	AboveEnd Kind = "above_end"
	// Truncated: an unclean leader election cut the log below Next.
	Truncated Kind = "truncated"
	// Gap: retention removed records before they were read.
	Gap Kind = "gap"
	// Recreated: the topic was deleted and made again.
	Recreated Kind = "recreated"
	// Stale: Kafka named a topic id that this row has left. Never go back.
	Stale Kind = "stale"
	// Adopted: the row had no topic id yet.
	Adopted Kind = "adopted"
)

// Finding is what to do before the next fetch.
type Finding struct {
	Kind Kind
	// Next is where the row goes on.
	Next int64
	// TopicID and LeaderEpoch are the row's after the correction.
	TopicID     uuid.UUID
	LeaderEpoch int32
	// PossibleLoss says that records below Next may be lost without anybody
	// having seen them: the position is the log start and the leader has
	// changed, so a cut below it cannot be excluded.
	PossibleLoss bool
}

// Check compares a lease with the log before a session of fetches: after each
// take and whenever a leader changes. Left is whether the row has had log's
// topic id before.
//
// A position in range proves nothing: the log may have been cut below it and
// grown past it again, which is why the leader epoch is asked first.
func Check(l Lease, log Log, left bool) Finding {
	if l.TopicID != log.TopicID {
		switch {
		case l.TopicID == uuid.Nil:
			// The first owner: nothing was read yet, so nothing can have
			// changed. The id is written before anything is stored.
			return Finding{Kind: Adopted, Next: l.Next, TopicID: log.TopicID, LeaderEpoch: -1}
		case left:
			return Finding{Kind: Stale, Next: l.Next, TopicID: l.TopicID, LeaderEpoch: l.LeaderEpoch}
		}
		return Finding{Kind: Recreated, Next: 0, TopicID: log.TopicID, LeaderEpoch: -1}
	}
	f := Finding{Kind: InPlace, Next: l.Next, TopicID: l.TopicID, LeaderEpoch: l.LeaderEpoch}
	changed := l.LeaderEpoch >= 0 && log.CurrentEpoch > l.LeaderEpoch
	if l.LeaderEpoch >= 0 && log.EpochEnd >= 0 && log.EpochEnd < l.Next {
		f.LeaderEpoch = log.CurrentEpoch
		f.Next = max(log.EpochEnd, log.Start)
		f.Kind = Truncated
		if log.Start > 0 && log.EpochEnd <= log.Start {
			f.PossibleLoss = true
		}
		if f.Next > l.Next {
			f.Kind = Gap
		}
		return f
	}
	switch {
	case l.Next < log.Start:
		return Finding{Kind: Gap, Next: log.Start, TopicID: l.TopicID, LeaderEpoch: log.CurrentEpoch, PossibleLoss: changed}
	case l.Next == log.Start && log.Start > 0 && changed && log.EpochEnd <= log.Start:
		// The leader has forgotten the epoch, as it does with everything below
		// the log start: record it once, under the present epoch.
		return Finding{Kind: Gap, Next: l.Next, TopicID: l.TopicID, LeaderEpoch: log.CurrentEpoch, PossibleLoss: true}
	case l.Next > log.End:
		f.Kind = AboveEnd
	}
	return f
}
