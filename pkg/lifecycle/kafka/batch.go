package kafka

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Process does the work of a batch. When it returns nil, all records of the batch are done: what it did with them must
// be durable by then, since their offsets are committed next. Records that it has produced must be acknowledged.
//
// ctx does not end when the stop begins: the batch was admitted. It ends at the deadline of phase lifecycle.Drain; then
// Process returns as soon as it can, and what it has marked by [Batch.Done] counts.
//
// An error of [Batch.Poison] says that a record can never be processed; see [WithPoison]. Any other error, or a panic,
// stops the group. Process itself repeats what may succeed later, and waits until it does: meanwhile nothing is polled.
type Process func(ctx context.Context, b *Batch) error

// Batch is what one poll returned, or what is left of it after a poison record. Its methods are safe for concurrent
// use.
type Batch struct {
	// Records in the order of their offsets within each partition.
	Records []*kgo.Record

	at    []int // the place of each record in all of the poll
	whole *progress
}

// Done marks the record i of the batch as done, so that it is committed even if Process fails or is cut short. Records
// may be done in any order: committed is the offset below which all records of the partition are done.
func (b *Batch) Done(i int) { b.whole.done(b.at[i]) }

// Poison returns an error for Process to return: record i can never be processed, because of err.
func (b *Batch) Poison(i int, err error) error {
	return &PoisonError{Record: b.Records[i], Err: err, at: b.at[i]}
}

// PoisonError says that a record can never be processed.
type PoisonError struct {
	Record *kgo.Record
	Err    error

	at int
}

// Error names the record by topic, partition and offset; its content may be secret.
func (e *PoisonError) Error() string {
	return fmt.Sprintf("record %s/%d at offset %d can't be processed: %v", e.Record.Topic, e.Record.Partition, e.Record.Offset, e.Err)
}

// Unwrap returns the reason.
func (e *PoisonError) Unwrap() error { return e.Err }

// progress is how much of a poll is done.
type progress struct {
	records   []*kgo.Record
	marks     []atomic.Bool
	marked    atomic.Int64
	total     *atomic.Uint64 // of all polls
	begun     time.Time
	committed int // guarded by loop.mu
}

func newProgress(records []*kgo.Record, total *atomic.Uint64) *progress {
	return &progress{records: records, marks: make([]atomic.Bool, len(records)), total: total, begun: time.Now()}
}

func (p *progress) done(i int) {
	if p.marks[i].CompareAndSwap(false, true) {
		p.marked.Add(1)
		p.total.Add(1)
	}
}

func (p *progress) allDone() {
	for i := range p.marks {
		p.done(i)
	}
}

// rest returns what is not done yet.
func (p *progress) rest() *Batch {
	b := &Batch{whole: p}
	for i, r := range p.records {
		if !p.marks[i].Load() {
			b.Records = append(b.Records, r)
			b.at = append(b.at, i)
		}
	}
	return b
}

// undone is the number of records that are not done.
func (p *progress) undone() int64 { return int64(len(p.records)) - p.marked.Load() }

// place is a partition.
type place struct {
	topic     string
	partition int32
}

// offsets returns for each partition the offset below which all records of the poll are done, and how many these are.
func (p *progress) offsets() (offsets map[string]map[int32]kgo.EpochOffset, n int) {
	offsets = make(map[string]map[int32]kgo.EpochOffset)
	stuck := make(map[place]bool)
	for i, r := range p.records {
		at := place{r.Topic, r.Partition}
		if stuck[at] {
			continue
		}
		if !p.marks[i].Load() {
			stuck[at] = true
			continue
		}
		if offsets[r.Topic] == nil {
			offsets[r.Topic] = make(map[int32]kgo.EpochOffset)
		}
		offsets[r.Topic][r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
		n++
	}
	return offsets, n
}

// undoneByPartition names the partitions with records that are not done, one line each.
func (p *progress) undoneByPartition() []string {
	var order []place
	first, count := make(map[place]int64), make(map[place]int)
	for i, r := range p.records {
		if p.marks[i].Load() {
			continue
		}
		at := place{r.Topic, r.Partition}
		if count[at] == 0 {
			order = append(order, at)
			first[at] = r.Offset
		}
		count[at]++
	}
	lines := make([]string, len(order))
	for i, at := range order {
		lines[i] = fmt.Sprintf("%d records of %s/%d from offset %d for %v",
			count[at], at.topic, at.partition, first[at], time.Since(p.begun).Round(time.Millisecond))
	}
	return lines
}
