package feed

import (
	"context"
	"time"
)

// Report is what one engine says about itself, for the listings of the others.
// No decision depends on it.
type Report struct {
	Server RowKey
	// At is when the report was put, by the clock of the directory.
	At time.Time
	// Watchers at that moment, at most [MaxReported].
	Watchers []Watcher
	// Receipts of the last revoking calls, newest first.
	Receipts []Receipt
}

// MaxReported is the most watchers in one report.
const MaxReported = 1000

// Directory keeps the last report of each engine. It must be safe for
// concurrent use.
type Directory interface {
	// Put replaces the report of r.Server and sets At.
	Put(ctx context.Context, r Report) error
	// List returns the reports of the engines that have a row in the store.
	List(ctx context.Context) ([]Report, error)
}
