package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

const (
	attemptTimeout = 20 * time.Second
	firstBackoff   = 50 * time.Millisecond
	maxBackoff     = 2 * time.Second
)

// store commits parts in one transaction, and goes on trying until they are
// stored, are somebody else's, or ctx ends: then they are handed back.
func (w *Worker) store(ctx context.Context, parts []*part) {
	defer w.watch.end()
	for backoff := firstBackoff; len(parts) > 0; backoff = min(2*backoff, maxBackoff) {
		if ctx.Err() != nil {
			w.handBack(parts)
			return
		}
		err := w.attempt(ctx, parts)
		w.done.Add(1)
		var fenced *ledger.FencedError
		var refused *batch.RefusedError
		var unknown *batch.UnknownError
		switch {
		case err == nil:
			w.advance(ctx, parts)
			return
		case errors.As(err, &fenced):
			parts = w.without(parts, fenced.Key)
			continue
		case errors.As(err, &refused):
			w.divide(ctx, parts, refused)
			return
		case errors.As(err, &unknown):
			if parts = w.resolve(ctx, parts, unknown); len(parts) == 0 {
				return
			}
		case w.cfg.Store.Lost():
			parts = w.recoverAll(ctx, parts)
		}
		w.cfg.Log.Warn("batch is not stored yet", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
	}
}

func (w *Worker) attempt(ctx context.Context, parts []*part) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return w.cfg.Store.Commit(ctx, w.transaction(parts))
}

// transaction is the batch of the parts as their leases are now.
func (w *Worker) transaction(parts []*part) *batch.Batch {
	b := &batch.Batch{}
	for _, p := range parts {
		out := batch.Part{Lease: p.slot.lease, To: p.position(), LeaderEpoch: p.items[len(p.items)-1].rec.LeaderEpoch, Isolated: w.cfg.Isolation}
		first := -1
		last := -1
		flush := func() {
			if first >= 0 {
				out.Rows = append(out.Rows, w.rows.Slice(first, last+1))
			}
		}
		for i := range p.items {
			it := &p.items[i]
			switch {
			case it.dead != nil:
				out.Dead++
				b.Dead = append(b.Dead, *it.dead)
			case it.row >= 0:
				out.Stored++
				if it.row != last+1 || first < 0 {
					flush()
					first = it.row
				}
				last = it.row
			}
		}
		flush()
		b.Parts = append(b.Parts, out)
	}
	return b
}

// advance notes that the parts are stored.
func (w *Worker) advance(ctx context.Context, parts []*part) {
	for _, p := range parts {
		s := p.slot
		for i := range p.items {
			switch it := &p.items[i]; {
			case it.dead != nil:
				s.tally.Dead++
			case it.row >= 0:
				s.tally.Stored++
			}
		}
		s.lease.Next = p.position()
		s.lease.LeaderEpoch = p.items[len(p.items)-1].rec.LeaderEpoch
		s.lease.Tries, s.lease.Evidence = 0, 0
		if !w.cfg.Isolation {
			s.lease.IsolateTo = 0
			continue
		}
		if w.slots[s.lease.Key] == s && !s.lease.Suspected(s.end) {
			w.passed(ctx, s)
		}
	}
	w.events.changed()
}

// handBack notes that the parts are not stored: nothing of them was committed.
func (w *Worker) handBack(parts []*part) {
	for _, p := range parts {
		p.slot.tally.HandedBack += p.size()
	}
	w.events.changed()
}

// size is the number of records that are no control records.
func (p *part) size() (n int64) {
	for i := range p.items {
		if !p.items[i].rec.Control {
			n++
		}
	}
	return n
}

// without drops the partition that has another owner; the others go on.
func (w *Worker) without(parts []*part, key ledger.Key) []*part {
	return slices.DeleteFunc(parts, func(p *part) bool {
		if p.slot.lease.Key != key {
			return false
		}
		w.handBack([]*part{p})
		if w.slots[key] == p.slot {
			w.fenced(p.slot)
		}
		return true
	})
}

// divide finds the record that PostgreSQL refuses: the partitions one by one,
// then halves, until it is alone. It becomes a dead letter with the SQLSTATE,
// and its neighbours are stored.
func (w *Worker) divide(ctx context.Context, parts []*part, refused *batch.RefusedError) {
	if len(parts) > 1 {
		for _, p := range parts {
			w.store(ctx, []*part{p})
		}
		return
	}
	p := parts[0]
	if len(p.items) == 1 {
		it := &p.items[0]
		it.dead = w.deadLetter(p.slot, it.rec, batch.Refused, refused.Error())
		it.row = -1
		w.store(ctx, parts)
		return
	}
	half := len(p.items) / 2
	w.store(ctx, []*part{{slot: p.slot, items: p.items[:half]}})
	second := &part{slot: p.slot, items: p.items[half:]}
	if p.slot.lease.Next != p.items[half-1].rec.Offset+1 || w.slots[p.slot.lease.Key] != p.slot {
		// The first half is not stored; storing the second would skip it.
		w.handBack([]*part{second})
		return
	}
	w.store(ctx, []*part{second})
}

// resolve finds out what became of a transaction whose COMMIT was not
// answered. First every lease gets a new epoch, so that what may still be on
// its way can do nothing; then PostgreSQL is asked for the transaction. It
// returns the parts that have to be stored again.
func (w *Worker) resolve(ctx context.Context, parts []*part, unknown *batch.UnknownError) []*part {
	w.cfg.Log.Warn("COMMIT was not answered", "xid", unknown.XID, "error", unknown.Err)
	before := make(map[*part]bool, len(parts))
	for _, p := range parts {
		before[p] = true
	}
	mine := w.recoverQuietly(ctx, parts)
	committed, err := w.committed(ctx, unknown.XID)
	switch {
	case err != nil:
		for _, p := range parts {
			p.slot.tally.Unresolved += p.size()
			w.events.addUnresolved(Unresolved{Key: p.slot.lease.Key, From: p.slot.lease.Next, To: p.position(), XID: unknown.XID})
			w.giveUp(p.slot, mine[p] == nil)
		}
		return nil
	case committed:
		var others []*part
		for _, p := range parts {
			if lease := mine[p]; lease != nil {
				p.slot.lease = *lease
			} else {
				others = append(others, p)
			}
		}
		w.advance(ctx, parts)
		for _, p := range others {
			w.giveUp(p.slot, true)
		}
		return nil
	}
	return w.keep(parts, mine)
}

// giveUp ends a slot after an outcome that leaves no way on.
func (w *Worker) giveUp(s *slot, fenced bool) {
	if fenced && w.slots[s.lease.Key] == s {
		w.fenced(s)
	}
}

// committed asks until PostgreSQL answers or ctx ends.
func (w *Worker) committed(ctx context.Context, xid uint64) (bool, error) {
	for {
		committed, err := w.cfg.Store.Committed(ctx, xid)
		if err == nil || ctx.Err() != nil {
			return committed, err
		}
		w.pause(ctx)
	}
}

// recoverQuietly gives the leases of the parts new epochs. Missing in the
// answer: somebody else owns the partition, or ctx ended.
func (w *Worker) recoverQuietly(ctx context.Context, parts []*part) map[*part]*ledger.Lease {
	mine := map[*part]*ledger.Lease{}
	for _, p := range parts {
		for ctx.Err() == nil {
			lease, err := w.cfg.Store.Recover(ctx, p.slot.lease)
			if err == nil {
				mine[p] = &lease
				break
			}
			if errors.Is(err, ledger.ErrFenced) {
				break
			}
			w.pause(ctx)
		}
	}
	return mine
}

func (w *Worker) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(firstBackoff):
	}
}

// recoverAll gives the leases new epochs after a connection was lost before
// COMMIT was sent, and drops those that are somebody else's.
func (w *Worker) recoverAll(ctx context.Context, parts []*part) []*part {
	return w.keep(parts, w.recoverQuietly(ctx, parts))
}

// keep goes on with the recovered leases; the others are given up. A recovered
// row that stands elsewhere cannot be: only its owner moves it.
func (w *Worker) keep(parts []*part, mine map[*part]*ledger.Lease) []*part {
	return slices.DeleteFunc(parts, func(p *part) bool {
		lease := mine[p]
		if lease != nil && lease.Next == p.slot.lease.Next {
			p.slot.lease = *lease
			return false
		}
		w.handBack([]*part{p})
		if w.slots[p.slot.lease.Key] == p.slot {
			w.fenced(p.slot)
		}
		return true
	})
}
