package feed

import (
	"context"
	"slices"
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

// Engines lists the rows of all engines as the store has them, and tells which
// is this one's.
func (e *Engine) Engines(ctx context.Context) (rows []Row, own RowKey, err error) {
	rows, err = e.store.Rows(ctx)
	return rows, e.rowKey(), err
}
