package feed

import (
	"context"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
)

// Store is where the feed and the row leases of its engines live: one primary
// that all engines share. Package feedtest holds an implementation in memory
// and the suite that every implementation must pass.
//
// Revoking is not part of it. Who revokes writes, in one transaction, the
// change itself, the rules, and as its LAST statement takes the next position
// by UPDATE ... SET seq = seq + 1 RETURNING seq on the one row of the head. A
// SERIAL would not do: its numbers are not in the order of commits. The time
// of a rule is that of this statement.
//
// Every method is one round of its own, never part of a caller's transaction,
// goes to the primary, and obeys the deadline of its context. Methods are
// called concurrently.
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

	// Read returns a page of the feed: the generation, the head, and the rules
	// with positions above after in sequence order, about limit at most, but
	// never a part of the rules of one position. All three are of one moment,
	// after the call began: a standby, or a snapshot taken earlier, is wrong.
	Read(ctx context.Context, after int64, limit int) (Page, error)

	// Rows lists the rows of all engines, at most [MaxRows].
	Rows(ctx context.Context) ([]Row, error)

	// Remove deletes a row if its renewals are still the given number, or in
	// any case if renewals is [AnyRenewals].
	Remove(ctx context.Context, key RowKey, renewals int64) error
}

// AnyRenewals makes [Store.Remove] unconditional; an engine uses it for its
// own row only.
const AnyRenewals = -1

// MaxRows is the most rows in a listing. An engine takes a listing of so many for
// one that was cut off: it lets no revoking call pass, and removes the dead.
const MaxRows = 1000

// RowKey names the row of one engine.
type RowKey struct {
	// Replica is the name of the engine's process, for people.
	Replica string
	// Incarnation is random per process: the row of an earlier process under
	// the same name stays until its leases are over.
	Incarnation string
}

// Renewal is what an engine writes into its row.
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

// Progress is how far the watchers of an engine are.
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

// Row is the row of one engine as the store has it.
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
