package worker

import (
	"context"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
	"github.com/curfew-platform/curfew/services/logproc/internal/fetch"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// idleWait is how long a worker waits for records before it looks at what else
// there is to do.
const idleWait = 250 * time.Millisecond

// part is one partition of the batch under way.
type part struct {
	slot  *slot
	items []item
}

// item is a record that is in the batch.
type item struct {
	rec fetch.Record
	// row is its place in the encoded rows; -1 if it makes none.
	row int
	// dead is set for a dead letter.
	dead *batch.DeadLetter
}

// build collects records until a limit of a batch is reached and encodes them
// as they come. reading ends when the worker is told to stop: then what was
// built is returned as it is. What is polled and in no batch stays pending.
func (w *Worker) build(reading, ctx context.Context) []*part {
	w.rows.Reset()
	parts := map[ledger.Key]*part{}
	limit := MaxRows
	if w.cfg.Isolation {
		limit = 1
	}
	deadline := w.cfg.Now().Add(idleWait)
	total := 0
	for reading.Err() == nil {
		if len(w.pending) == 0 {
			left := deadline.Sub(w.cfg.Now())
			if left <= 0 {
				break
			}
			w.accept(w.poll(reading, left))
			if len(w.pending) == 0 {
				if w.interrupted() {
					break
				}
				continue
			}
		}
		if total == 0 {
			deadline = w.cfg.Now().Add(Linger)
		}
		taken, full := w.absorb(ctx, parts, limit-total)
		total += taken
		if full || total >= limit || w.rows.Size() >= MaxBytes {
			break
		}
	}
	list := make([]*part, 0, len(parts))
	for _, p := range parts {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *part) int { return a.slot.lease.Key.Compare(b.slot.lease.Key) })
	return list
}

func (w *Worker) interrupted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.requests) > 0
}

// accept counts what was polled as read and keeps what belongs to a partition
// that is still read.
func (w *Worker) accept(chunks []fetch.Chunk) {
	for _, c := range chunks {
		s := w.slots[c.Key]
		if s == nil || !s.reading {
			continue
		}
		if c.Err != nil || len(c.Records) > 0 && c.TopicID != s.lease.TopicID {
			// The log is not what it was, or another topic has the name.
			w.cfg.Log.Warn("reading was interrupted, checking the partition", "partition", c.Key.String(), "error", c.Err)
			w.distrust(s)
			continue
		}
		if len(c.Records) > 0 {
			s.tally.Read += count(c.Records)
			s.readTo = c.Records[len(c.Records)-1].Offset + 1
			w.pending = append(w.pending, c)
		}
	}
}

// count is the number of records that are no control records.
func count(records []fetch.Record) (n int64) {
	for i := range records {
		if !records[i].Control {
			n++
		}
	}
	return n
}

// obstacle is why the next record of a partition is not in the batch.
type obstacle int

const (
	none obstacle = iota
	wait
	distrusted
)

// absorb moves pending records into the batch, up to limit. full says that the
// rest has to wait for the next one.
func (w *Worker) absorb(ctx context.Context, parts map[ledger.Key]*part, limit int) (taken int, full bool) {
	for len(w.pending) > 0 && taken < limit && w.rows.Size() < MaxBytes {
		c := &w.pending[0]
		s := w.slots[c.Key]
		p := parts[c.Key]
		if p == nil {
			p = &part{slot: s}
		}
		if w.cfg.Isolation && !w.suspect(ctx, s) {
			return taken, true
		}
		n, why := w.extend(ctx, p, c.Records, limit-taken)
		taken += n
		if n > 0 {
			parts[c.Key] = p
		}
		if n == len(c.Records) {
			w.pending = w.pending[1:]
		} else {
			c.Records = c.Records[n:]
		}
		switch why {
		case wait:
			return taken, true
		case distrusted:
			w.distrust(s)
			return taken, true
		}
	}
	return taken, len(w.pending) > 0
}

// extend moves the first records of one partition into the batch.
func (w *Worker) extend(ctx context.Context, p *part, records []fetch.Record, limit int) (n int, why obstacle) {
	s := p.slot
	for n < len(records) && n < limit && w.rows.Size() < MaxBytes {
		r := records[n]
		if r.Offset < p.position() || r.LeaderEpoch > s.known {
			// Below the position: the reader was set back. A new leader: the
			// log below may have been cut.
			return n, distrusted
		}
		if len(p.items) > 0 && (r.Offset-s.lease.Next >= Span || r.LeaderEpoch != p.items[0].rec.LeaderEpoch) {
			// A batch of one leader epoch says where that ended.
			return n, wait
		}
		p.items = append(p.items, w.encode(ctx, p, r))
		n++
	}
	return n, none
}

// distrust drops what was polled of a partition and has it checked.
func (w *Worker) distrust(s *slot) {
	w.forget(s)
	if s.reading {
		w.cfg.Source.Remove([]ledger.Key{s.lease.Key})
		s.reading = false
	}
	s.checkAt = w.cfg.Now()
}

// forget hands back what was polled of a partition and is in no batch.
func (w *Worker) forget(s *slot) {
	kept := w.pending[:0]
	for _, c := range w.pending {
		if c.Key == s.lease.Key {
			s.tally.HandedBack += count(c.Records)
			continue
		}
		kept = append(kept, c)
	}
	w.pending = kept
}

// position is one above the last record of the part.
func (p *part) position() int64 {
	if n := len(p.items); n > 0 {
		return p.items[n-1].rec.Offset + 1
	}
	return p.slot.lease.Next
}

// encode decodes a record and appends its row.
func (w *Worker) encode(ctx context.Context, p *part, r fetch.Record) item {
	s := p.slot
	it := item{rec: r, row: -1}
	switch {
	case r.Control:
		return it
	case len(p.items) == 0 && s.lease.Condemned():
		it.dead = w.deadLetter(s, r, batch.Crashed, s.lease.LastWords)
		return it
	case len(r.Value) > batch.MaxValue:
		it.dead = w.deadLetter(s, r, batch.TooLarge, "")
		return it
	}
	w.cfg.Decoder.Decode(s.format, r.Value, time.UnixMicro(r.Timestamp), &w.rec)
	day := record.Day(&w.rec, r.Timestamp, w.cfg.RetentionDays)
	w.prepare(ctx, day)
	it.row = w.rows.Len()
	id := identity(s, r)
	w.rows.Append(&id, day, w.cfg.Now().UnixMicro(), &w.rec)
	return it
}

func identity(s *slot, r fetch.Record) encode.Identity {
	return encode.Identity{
		Topic: s.lease.Topic, TopicID: s.lease.TopicID, Partition: s.lease.Partition,
		Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Timestamp: r.Timestamp,
	}
}

func (w *Worker) deadLetter(s *slot, r fetch.Record, reason batch.Reason, detail string) *batch.DeadLetter {
	w.cfg.Log.Warn("record becomes a dead letter", "partition", s.lease.Key.String(), "offset", r.Offset, "reason", string(reason))
	d := batch.NewDeadLetter(identity(s, r), r.Value, reason, detail)
	return &d
}

// prepare has the partition of a day made, once. Without it the row goes to the
// default partition, so a failure is no reason to wait.
func (w *Worker) prepare(ctx context.Context, day int32) {
	if w.days[day] {
		return
	}
	if len(w.days) > maxDays {
		clear(w.days)
	}
	w.days[day] = true
	if err := w.cfg.Store.PrepareDay(ctx, day, w.cfg.RetentionDays); err != nil {
		w.cfg.Log.Warn("partition of a day cannot be made", "error", err)
	}
}

// maxDays bounds the memory of days: their number is the producers' choice.
const maxDays = 4096
