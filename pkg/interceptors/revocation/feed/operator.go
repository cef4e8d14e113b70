package feed

import (
	"context"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

// lastReceipts is how many receipts an engine remembers.
const lastReceipts = 20

// Receipts returns the last receipts of this engine, newest first, at most 20.
func (e *Engine) Receipts() []Receipt {
	e.barrier.mu.Lock()
	defer e.barrier.mu.Unlock()
	return slices.Clone(e.barrier.last)
}

// keep remembers a receipt. The caller holds the lock.
func (b *barrier) keep(r Receipt) {
	b.last = slices.Insert(b.last, 0, r)
	b.last = b.last[:min(len(b.last), lastReceipts)]
}

// Key returns the key of this engine's row.
func (e *Engine) Key() RowKey { return e.rowKey() }

// Engines reads the rows of all engines from the store. own is the key of this
// engine's.
func (e *Engine) Engines(ctx context.Context) (rows []Row, own RowKey, err error) {
	rows, err = e.store.Rows(ctx)
	return rows, e.rowKey(), err
}

// Status is the state of an engine, for metrics.
type Status struct {
	// Head is the position that all streams have; Watermark is the one that all
	// watchers have acknowledged.
	Head, Watermark int64
	// Rules is the number of live rules.
	Rules int
	// Watchers is the number of processes with a lease from this engine. Lapsed
	// counts the leases that ended before a rule was acknowledged.
	Watchers int
	Lapsed   int64
	// RowLease is what is left of the row lease. If it is zero or negative, the
	// engine grants no leases. Zero if it never had one.
	RowLease time.Duration
	// RowLosses counts how often the row lease ended before it was renewed.
	RowLosses uint64
}

// Status returns the current state of the engine.
func (e *Engine) Status() Status {
	p := e.progress()
	e.mu.Lock()
	defer e.mu.Unlock()
	now, losses := e.clock.Now(), e.row.losses
	if e.row.deadline != (leaseclock.Instant{}) && e.row.deadline.Over(now) {
		losses++ // counted by the next renewal
	}
	var left time.Duration
	if e.row.deadline != (leaseclock.Instant{}) {
		left = e.row.deadline.Left(now)
	}
	return Status{
		Head: e.known, Watermark: e.watermark, Rules: len(e.rules), Watchers: int(p.Watchers), Lapsed: p.Lapsed,
		RowLease: left, RowLosses: losses,
	}
}
