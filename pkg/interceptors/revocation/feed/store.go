package feed

import (
	"context"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// Store keeps the feed and the rows of the engines: one primary database that
// all engines share. Package feedtest has an implementation in memory, and the
// suite that every implementation must pass.
//
// Revoking is not part of the interface. A revoking transaction writes the
// change itself and the rules. Its LAST statement takes the next position, by
// UPDATE ... SET seq = seq + 1 RETURNING seq on the one row of the head. A
// SERIAL would not do, because its numbers are not in the order of commits. The
// time of a rule is that of this statement.
//
// Every method is a round trip of its own and never part of a caller's
// transaction. It goes to the primary and obeys the deadline of its context.
// Methods are called concurrently.
type Store interface {
	// Renew writes the row of an engine, inserting it if it is not there, and
	// COMMITS before it returns. With now the time of the statement by the
	// store's clock:
	//
	//	watermark   = greatest(its watermark, r.Watermark) if r.Generation is
	//	              that of the row, else r.Watermark
	//	generation  = r.Generation
	//	lease_until = greatest(its lease_until,
	//	              least(now + r.Length, T + r.Length))
	//	renewals    = r.Number
	//	length      = greatest(its length, r.Length)
	//
	// An r.Watermark above the head of the feed counts as 0: commits were lost,
	// and their positions are given again.
	//
	// T is the time of the oldest rule above that watermark, or of the oldest
	// rule of all if r.Generation is not that of the feed; there is no second
	// operand of least if there is no such rule. Renew returns least(...) - now,
	// which is what this renewal has granted; it is not positive if nothing was.
	Renew(ctx context.Context, r Renewal) (granted time.Duration, err error)

	// Publish sets watermark, generation and counters of a row as Renew does,
	// and nothing else. A row that does not exist stays so.
	Publish(ctx context.Context, key RowKey, p Progress) error

	// Read returns a page of the feed: generation, head, and the rules above
	// position after in the order of their positions. A page has about limit
	// rules and never splits the rules of one position. All of it must be of
	// one moment after the call began; a standby, or a snapshot taken earlier,
	// would be wrong.
	Read(ctx context.Context, after int64, limit int) (Page, error)

	// Rows returns the rows of all engines, at most [MaxRows].
	Rows(ctx context.Context) ([]Row, error)

	// Remove deletes a row if its Renewals are still equal to renewals, or in
	// any case if that is [AnyRenewals].
	Remove(ctx context.Context, key RowKey, renewals int64) error
}

// AnyRenewals makes [Store.Remove] unconditional. An engine uses it for its own
// row only.
const AnyRenewals = -1

// MaxRows is the most rows of a listing. A full listing may have been cut off,
// so an engine lets no revoking call pass by it, and removes dead rows.
const MaxRows = 1000

// RowKey identifies the row of one engine.
type RowKey struct {
	// Replica is the name of the engine's process, for people.
	Replica string
	// Incarnation is random per process: the row of an earlier process under
	// the same name stays until its leases are over.
	Incarnation string
}

// Renewal is what an engine writes into its row when it renews its lease.
type Renewal struct {
	RowKey
	Progress
	// Number counts the renewals of this incarnation, from 1. It is the
	// engine's and not the row's: a row that was removed and inserted again
	// must not look as it once did.
	Number int64
	// Length is the row lease asked for.
	Length time.Duration
}

// Progress is how far the watchers of one engine are.
type Progress struct {
	// Generation is that of the feed as the engine knows it, empty before it
	// has read anything. A watermark says nothing about another generation.
	Generation string
	// Watermark is the position that every watcher with a lease under this row
	// has acknowledged.
	Watermark int64
	// Watchers is the number of watchers with a lease.
	Watchers int32
	// Lapsed counts the leases that ever ended without the acknowledgement
	// that was waited for. It only grows.
	Lapsed int64
}

// Row is the row of one engine, as the store has it.
type Row struct {
	RowKey
	Progress
	// Renewals is the number of the last renewal, by which an observer sees that the
	// row is alive without trusting the clock of the store.
	Renewals int64
	// Length is the longest row lease that the row ever asked for: processes
	// of another configuration are waited for as long as their own asks.
	Length time.Duration
	// LeaseUntil is for people; no decision rests on it.
	LeaseUntil time.Time
}

// Page is a part of the feed.
type Page struct {
	// Generation is new after a restore or a failover that lost commits.
	Generation string
	// Head is the highest position of the feed.
	Head int64
	// Rules of the page in sequence order.
	Rules []revocation.Rule
	// Seq is the position after the page; Head if there is nothing more.
	Seq int64
}
