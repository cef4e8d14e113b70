// Package worker is a worker process: it reads the partitions that its parent
// granted, decodes and encodes their records, and stores them with the ledger
// in one transaction per batch.
//
// One goroutine owns everything (Run); requests of the parent wait in a queue
// until the batch under way is done.
package worker

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/logproc/internal/batch"
	"github.com/curfew-platform/curfew/services/logproc/internal/decode"
	"github.com/curfew-platform/curfew/services/logproc/internal/encode"
	"github.com/curfew-platform/curfew/services/logproc/internal/fetch"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
	"github.com/curfew-platform/curfew/services/logproc/internal/record"
)

// Limits of a batch: whichever is reached first ends it.
const (
	MaxRows  = 10_000
	MaxBytes = 4 << 20
	Linger   = 50 * time.Millisecond
	// Span is the largest range of offsets of one partition in a batch, and so
	// the range that is suspected when an owner dies without progress.
	Span = MaxRows
)

// Source reads partitions from given offsets.
type Source interface {
	Inspect(ctx context.Context, leases []ledger.Lease) (map[ledger.Key]ledger.Log, error)
	Add(starts []fetch.Start)
	Remove(keys []ledger.Key)
	Forget(topic string)
	Poll(ctx context.Context, limit int) []fetch.Chunk
}

// Store is the worker's own connection to PostgreSQL.
type Store interface {
	Take(ctx context.Context, g ledger.Grant, span int64) (ledger.Lease, error)
	Recover(ctx context.Context, l ledger.Lease) (ledger.Lease, error)
	Release(ctx context.Context, l ledger.Lease, passed bool) error
	Correct(ctx context.Context, l ledger.Lease, f ledger.Finding) (ledger.Lease, error)
	// StoredTo returns where the records end that are stored of the lease's topic
	// id and of leader epochs up to one; at most the lease's Next.
	StoredTo(ctx context.Context, l ledger.Lease, leaderEpoch int32) (int64, error)
	HasLeft(ctx context.Context, key ledger.Key, id uuid.UUID) (bool, error)
	Suspect(ctx context.Context, l ledger.Lease) error
	PrepareDay(ctx context.Context, day int32, retentionDays int) error
	Commit(ctx context.Context, b *batch.Batch) error
	Committed(ctx context.Context, xid uint64) (bool, error)
	Lost() bool
}

// Decoder turns the value of a record into columns.
type Decoder interface {
	Decode(format decode.Format, value []byte, at time.Time, rec *record.Record)
}

// Config of a worker.
type Config struct {
	Source  Source
	Store   Store
	Decoder Decoder
	// Formats by topic; decode.Auto for one that is not named.
	Formats map[string]decode.Format
	// RetentionDays bounds how old a day may be that rows are filed under.
	RetentionDays int
	// Isolation makes it a process for one suspected partition: one record at
	// a time, and its own death is evidence against that record.
	Isolation bool
	// CPULimit is the CPU time that one record may use in isolation.
	CPULimit time.Duration
	// StopBudget bounds what a stop may still store.
	StopBudget time.Duration
	// Log must not be shipped through the pipeline: a line per batch would be
	// the next batch.
	Log *slog.Logger
	Now func() time.Time
}

// Worker is the process. Make it with New; Run it once.
type Worker struct {
	cfg   Config
	slots map[ledger.Key]*slot
	// pending are polled records that are in no batch yet.
	pending []fetch.Chunk
	rows    encode.Rows
	rec     record.Record
	days    map[int32]bool
	watch   *watchdog

	mu       sync.Mutex
	requests []func(ctx context.Context)
	wake     context.CancelFunc // ends the poll under way
	closed   bool

	events  queue
	stopped chan struct{}
	// For the supervisor's look at hanging workers.
	inWork, done atomic.Int64
}

// slot is a partition that this worker owns.
type slot struct {
	lease  ledger.Lease
	format decode.Format
	// end is where the log ended when the partition was taken.
	end int64
	// known is the leader epoch up to which the position has been checked.
	known int32
	// reading says that the source reads it; otherwise it is checked at checkAt.
	reading bool
	checkAt time.Time
	// readTo is one above the last record that was polled.
	readTo int64
	tally  Tally
}

// Tally counts where records of a grant went.
type Tally struct {
	Read, Stored, Dead, Sampled, HandedBack, Unresolved int64
}

// Add adds o to t.
func (t *Tally) Add(o Tally) {
	t.Read += o.Read
	t.Stored += o.Stored
	t.Dead += o.Dead
	t.Sampled += o.Sampled
	t.HandedBack += o.HandedBack
	t.Unresolved += o.Unresolved
}

// Lost is what was read and went nowhere: 0, or a bug.
func (t Tally) Lost() int64 {
	return t.Read - t.Stored - t.Dead - t.Sampled - t.HandedBack - t.Unresolved
}

// New returns a worker without partitions.
func New(cfg Config) *Worker {
	return &Worker{
		cfg: cfg, slots: map[ledger.Key]*slot{}, days: map[int32]bool{},
		events: newQueue(), stopped: make(chan struct{}), watch: newWatchdog(cfg.CPULimit),
	}
}

// Run reads and stores until ctx ends, then stores what is in the batch within
// the stop budget, hands the rest back and reports. The error is nil.
func (w *Worker) Run(ctx context.Context) error {
	defer close(w.stopped)
	// Statements outlive ctx by the stop budget, so that a batch under way is
	// finished and a vanished PostgreSQL does not hold the stop up.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(w.cfg.StopBudget, cancel)
		context.AfterFunc(work, func() { timer.Stop() })
	})()
	for ctx.Err() == nil {
		w.serve(work)
		w.check(work)
		if parts := w.build(ctx, work); len(parts) > 0 {
			w.inWork.Store(1)
			w.store(work, parts)
			w.inWork.Store(0)
		}
		w.tell()
	}
	w.finish(work)
	return nil
}

// serve runs the requests that have come in.
func (w *Worker) serve(ctx context.Context) {
	w.mu.Lock()
	requests := w.requests
	w.requests = nil
	w.mu.Unlock()
	for _, request := range requests {
		request(ctx)
	}
}

// request queues f for Run and ends its wait for records. It returns false if
// the worker has stopped.
func (w *Worker) request(f func(ctx context.Context)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.requests = append(w.requests, f)
	if w.wake != nil {
		w.wake()
	}
	return true
}

// poll waits for records until ctx ends, or a request comes in.
func (w *Worker) poll(ctx context.Context, wait time.Duration) []fetch.Chunk {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	w.mu.Lock()
	if len(w.requests) > 0 {
		cancel()
	}
	w.wake = cancel
	w.mu.Unlock()
	chunks := w.cfg.Source.Poll(ctx, MaxRows)
	w.mu.Lock()
	w.wake = nil
	w.mu.Unlock()
	return chunks
}

// drop ends the ownership of a partition in this process. What was read of it
// and is not stored is handed back.
func (w *Worker) drop(s *slot) Progress {
	if s.reading {
		w.cfg.Source.Remove([]ledger.Key{s.lease.Key})
	}
	w.forget(s)
	delete(w.slots, s.lease.Key)
	return s.progress()
}

// InWork is 1 while a batch is being stored.
func (w *Worker) InWork() int64 { return w.inWork.Load() }

// Progress counts attempts to store one: a database that is gone for long is no
// reason to take this process for hung.
func (w *Worker) Progress() int64 { return w.done.Load() }
