package worker

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/fetch"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

const (
	// checkAgain is the wait before a partition is checked again that Kafka did
	// not describe, or whose log ends below the position.
	checkAgain   = time.Second
	checkTimeout = 10 * time.Second
	// corrections bounds how often one answer of Kafka can move a row: adopt
	// the topic, then go to the log start.
	corrections = 3
)

// check compares the partitions that are not read with Kafka's logs, corrects
// the ledger where the logs have changed, and begins to read. It comes after
// each take and each change of leader, before the next fetch: a position in
// range proves nothing.
func (w *Worker) check(ctx context.Context) {
	var leases []ledger.Lease
	for _, s := range w.slots {
		if !s.reading && !w.cfg.Now().Before(s.checkAt) {
			leases = append(leases, s.lease)
		}
	}
	if len(leases) == 0 {
		return
	}
	asked, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	logs, err := w.cfg.Source.Inspect(asked, leases)
	if err != nil {
		w.cfg.Log.Warn("kafka does not describe the partitions", "partitions", len(leases), "error", err)
	}
	var starts []fetch.Start
	for _, l := range leases {
		s := w.slots[l.Key]
		log, ok := logs[l.Key]
		if !ok {
			s.checkAt = w.cfg.Now().Add(checkAgain)
			continue
		}
		if w.place(asked, s, log) {
			starts = append(starts, fetch.Start{Key: l.Key, Offset: s.lease.Next, LeaderEpoch: startEpoch(s.lease, log)})
		}
	}
	if len(starts) > 0 {
		w.cfg.Source.Add(starts)
	}
}

func startEpoch(l ledger.Lease, log ledger.Log) int32 {
	if l.LeaderEpoch >= 0 {
		return l.LeaderEpoch
	}
	return log.CurrentEpoch
}

// place brings a partition to where it can be read, and says whether it can.
func (w *Worker) place(ctx context.Context, s *slot, log ledger.Log) bool {
	for range corrections {
		left, err := w.hasLeft(ctx, s.lease, log.TopicID)
		if err != nil {
			w.later(s, err)
			return false
		}
		if log.Forgotten(s.lease) {
			to, err := w.cfg.Store.StoredTo(ctx, s.lease, log.EpochOfEnd)
			if err != nil {
				w.later(s, err)
				return false
			}
			log.EpochEnd = min(log.EpochEnd, to)
		}
		f := ledger.Check(s.lease, log, left)
		switch f.Kind {
		case ledger.InPlace:
			return w.begin(ctx, s, log)
		case ledger.AboveEnd, ledger.Stale:
			w.cfg.Log.Warn("kafka's log is behind the ledger, waiting",
				"partition", s.lease.Key.String(), "finding", string(f.Kind), "next_off", s.lease.Next, "log_end", log.End)
			s.checkAt = w.cfg.Now().Add(checkAgain)
			return false
		}
		corrected, err := w.cfg.Store.Correct(ctx, s.lease, f)
		if errors.Is(err, ledger.ErrFenced) {
			w.fenced(s)
			return false
		}
		if err != nil {
			// Whether it was applied is not known; the row says it.
			w.recoverLater(ctx, s, err)
			return false
		}
		if f.Kind != ledger.Adopted {
			w.cfg.Log.Warn("kafka's log has changed, recorded", "partition", s.lease.Key.String(), "finding", string(f.Kind),
				"from", s.lease.Next, "to", f.Next, "possible_loss", f.PossibleLoss)
		}
		s.lease = corrected
		if f.Kind == ledger.Recreated {
			w.forgetTopic(s.lease.Topic)
		}
		if f.Kind == ledger.Truncated || f.Kind == ledger.Gap {
			// What Kafka said was about the leader epoch that the row has left:
			// the same answer would be taken for another cut.
			s.checkAt = w.cfg.Now()
			return false
		}
	}
	s.checkAt = w.cfg.Now().Add(checkAgain)
	return false
}

// forgetTopic has the source take the new id of a topic. Its other partitions
// are checked again; they have the same news coming.
func (w *Worker) forgetTopic(topic string) {
	for key, s := range w.slots {
		if key.Topic == topic && s.reading {
			w.distrust(s)
		}
	}
	w.cfg.Source.Forget(topic)
}

func (w *Worker) hasLeft(ctx context.Context, l ledger.Lease, id uuid.UUID) (bool, error) {
	if l.TopicID == uuid.Nil || l.TopicID == id {
		return false, nil
	}
	return w.cfg.Store.HasLeft(ctx, l.Key, id)
}

// begin starts the reading, unless the range ahead may have ended an earlier
// owner: that is for a process of its own.
func (w *Worker) begin(ctx context.Context, s *slot, log ledger.Log) bool {
	if s.end < 0 {
		s.end = log.End
	}
	suspected := s.lease.Suspected(s.end)
	if suspected && !w.cfg.Isolation {
		w.cfg.Log.Warn("owners made no progress, isolating the partition",
			"partition", s.lease.Key.String(), "tries", s.lease.Tries, "next_off", s.lease.Next, "isolate_to", s.lease.IsolateTo)
		w.events.put(Event{Kind: NeedsIsolation, Progress: w.drop(s)})
		return false
	}
	if !suspected && w.cfg.Isolation {
		w.passed(ctx, s)
		return false
	}
	s.known = log.CurrentEpoch
	s.reading = true
	return true
}

// passed ends an isolation: the suspected range is stored.
func (w *Worker) passed(ctx context.Context, s *slot) {
	if err := w.cfg.Store.Release(ctx, s.lease, true); err != nil {
		w.later(s, err)
		return
	}
	w.events.put(Event{Kind: IsolationDone, Progress: w.drop(s)})
}

// later has a partition checked again after an error that may pass.
func (w *Worker) later(s *slot, err error) {
	w.cfg.Log.Warn("partition has to wait", "partition", s.lease.Key.String(), "error", err)
	s.checkAt = w.cfg.Now().Add(checkAgain)
}

// recoverLater takes the lease up again after a statement whose effect is not
// known, under a new epoch.
func (w *Worker) recoverLater(ctx context.Context, s *slot, cause error) {
	w.later(s, cause)
	lease, err := w.cfg.Store.Recover(ctx, s.lease)
	if err != nil {
		// Who owns it now is unknown, and a take needs a grant.
		w.fenced(s)
		return
	}
	s.lease = lease
}

// fenced gives a partition up and tells the parent. Taking it again is not this
// process's to decide: two that do so fight for ever.
func (w *Worker) fenced(s *slot) {
	w.cfg.Log.Info("partition has another owner", "partition", s.lease.Key.String(), "epoch", s.lease.Epoch)
	w.events.put(Event{Kind: Fenced, Progress: w.drop(s)})
}
