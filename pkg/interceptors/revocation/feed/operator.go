package feed

import (
	"context"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

// lastReceipts is how many receipts an engine remembers.
const lastReceipts = 20

// Receipts returns what the last revoking calls at this engine knew when they
// returned, newest first, 20 at most.
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

// Key names the row of this engine.
func (e *Engine) Key() RowKey { return e.rowKey() }

// Engines lists the rows of all engines as the store has them, and tells which
// is this one's.
func (e *Engine) Engines(ctx context.Context) (rows []Row, own RowKey, err error) {
	rows, err = e.store.Rows(ctx)
	return rows, e.rowKey(), err
}

// Status is what an engine knows about itself.
type Status struct {
	// Head is the position that all streams have, Watermark the one that all watchers have acknowledged.
	Head, Watermark int64
	// Rules is the number of live rules.
	Rules int
	// Watchers is the number of processes with a lease of this engine, Lapsed that of leases that ended
	// while a rule was not acknowledged.
	Watchers int
	Lapsed   int64
	// RowLease is what is left of the right to grant leases; zero or negative if it is over, and nobody can renew here.
	// Zero if there was none yet.
	RowLease time.Duration
	// RowLosses counts how often it was over before it was renewed.
	RowLosses uint64
}

// Status returns the state of the engine.
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
