package feed

import (
	"context"
	"time"
)

// Report is what one server of the feed says about itself, for the lists of the
// others. Nothing is decided by it.
type Report struct {
	Server RowKey
	// At is when it was put, by the clock of the directory.
	At time.Time
	// Watchers at that moment, MaxReported at most.
	Watchers []Watcher
	// Receipts of the last revoking calls, newest first.
	Receipts []Receipt
}

// MaxReported bounds the watchers of one report.
const MaxReported = 1000

// Directory keeps the last report of each server. It is safe for concurrent use.
type Directory interface {
	// Put replaces the report of its server and sets At.
	Put(ctx context.Context, r Report) error
	// List returns the reports of the servers that have a row in the store.
	List(ctx context.Context) ([]Report, error)
}
