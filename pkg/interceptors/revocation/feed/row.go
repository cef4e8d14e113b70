package feed

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

// rowLease is this engine's own right to grant.
type rowLease struct {
	// deadline is guarded by Engine.mu. The row lease is held, not waited
	// for: either clock ends it.
	deadline leaseclock.Instant
	losses   uint64 // deadlines that were over before the next one, guarded by Engine.mu

	mu      sync.Mutex // serializes renewals with the removal
	number  int64      // of the last renewal
	removed bool
}

var errRenewedBefore = errors.New("feed: the row was renewed in the generation before")

func (e *Engine) rowKey() RowKey {
	return RowKey{Replica: e.cfg.Replica, Incarnation: e.cfg.Incarnation}
}

// keepRow renews the row long before it is over, and looks at the others.
func (e *Engine) keepRow(ctx context.Context) {
	failing := false
	for {
		err := e.renewRow(ctx)
		if err == nil {
			err = e.observe(ctx)
		}
		if err != nil && ctx.Err() == nil {
			if !failing {
				e.log.WarnContext(ctx, "row lease not renewed", slog.Any("error", err))
			}
			failing = true
		} else if failing {
			e.log.InfoContext(ctx, "row lease renewed again")
			failing = false
		}
		wait := e.cfg.RowLease / 6
		if err != nil {
			wait = e.cfg.Poll
		}
		if sleep(ctx, wait) != nil {
			return
		}
	}
}

// renewRow renews the row and then extends the lease. The rules are read after
// the commit of the row: a revocation that committed in between has seen
// the row or is read here. The lease is extended last, after the rules were
// written to all streams, and counts from before the first step.
//
// It counts in the generation that it named: if the feed turns out to be of
// another one, the row that was renewed may be lost with the history before.
func (e *Engine) renewRow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.RowLease)
	defer cancel()
	e.row.mu.Lock()
	defer e.row.mu.Unlock()
	if e.row.removed {
		return nil
	}
	if !e.covers() { // nothing would be granted, and the row would say what is not so
		if err := e.catchUp(ctx); err != nil {
			return err
		}
	}
	e.row.number++
	progress := e.progress()
	started := e.clock.Now()
	granted, err := e.store.Renew(ctx, Renewal{RowKey: e.rowKey(), Progress: progress, Number: e.row.number, Length: e.cfg.RowLease})
	if err != nil {
		return err
	}
	if err := e.catchUp(ctx); err != nil {
		return err
	}
	if e.currentGeneration() != progress.Generation {
		return errRenewedBefore
	}
	e.extend(started, min(granted, e.cfg.RowLease))
	return nil
}

// extend is the last step of a renewal.
func (e *Engine) extend(started leaseclock.Instant, granted time.Duration) {
	if granted <= 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// Leases granted before a rule was dispatched end with the row lease of
	// that time, at most one row lease after the commit; those granted later
	// travel behind the rule. So nothing rests on the clock of the store.
	length := leaseclock.Shorten(granted, e.cfg.Drift)
	last, now := e.row.deadline, e.clock.Now()
	e.row.deadline = last.Later(started.Add(length))
	if last != (leaseclock.Instant{}) && last.Over(now) && !e.row.deadline.Over(now) {
		e.row.losses++
	}
}

// removeRow deletes the row for good.
func (e *Engine) removeRow(ctx context.Context) error {
	e.row.mu.Lock()
	defer e.row.mu.Unlock()
	if err := e.store.Remove(ctx, e.rowKey(), AnyRenewals); err != nil {
		return err
	}
	e.row.removed = true
	return nil
}

// publishProgress writes the watermark at once when it rises: other engines'
// revoking calls wait for it.
func (e *Engine) publishProgress(ctx context.Context) {
	var published Progress
	for {
		p := e.progress()
		rest(ctx, p.Watchers)
		if p.Watermark > published.Watermark || p.Generation != published.Generation {
			signal(e.barrier.look)
			call, cancel := context.WithTimeout(ctx, e.cfg.TTL)
			err := e.store.Publish(call, e.rowKey(), p)
			cancel()
			if err == nil {
				published = p
			} else {
				e.log.DebugContext(ctx, "watermark not published", slog.Any("error", err))
			}
		}
		if !e.awaitChange(ctx) {
			return
		}
	}
}

// rest leaves the lock to the acknowledgements of many watchers, each of which
// wakes who counts all: to count takes a fraction of a microsecond for each.
func rest(ctx context.Context, watchers int32) {
	if watchers > restAbove {
		_ = sleep(ctx, time.Duration(min(watchers, restAtMost))*time.Microsecond)
	}
}

const (
	restAbove  = 50
	restAtMost = 20_000
)

// awaitChange waits until the watermark may have risen: an acknowledgement, a
// dispatch, or the end of a lease that holds it.
func (e *Engine) awaitChange(ctx context.Context) bool {
	wait := e.cfg.TTL
	if left, ok := e.nextLapse(); ok {
		wait = min(wait, max(left, time.Millisecond))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-e.changed:
		return true
	case <-ctx.Done():
		return false
	}
}

// nextLapse returns the time to the first end of a lease that holds the
// watermark below what is known.
func (e *Engine) nextLapse() (time.Duration, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now().Boot
	var left time.Duration
	found := false
	for en := range e.entries {
		if en.deadline > now && en.peer.acked < e.known && (!found || en.deadline-now < left) {
			left, found = en.deadline-now, true
		}
	}
	return left, found
}

// progress returns how far the watchers are now.
func (e *Engine) progress() Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.advance()
	now := e.clock.Now().Boot
	if e.lost {
		w = 0 // the rules that have these positions now are not known here
	}
	live := make(map[*peer]struct{}, len(e.peers))
	for en := range e.entries {
		if en.deadline > now {
			live[en.peer] = struct{}{}
		}
	}
	return Progress{Generation: e.generation, Watermark: w, Watchers: int32(min(len(live), maxEntries)), Lapsed: e.lapsed}
}

// advance computes the watermark: what every watcher whose lease is not over
// has acknowledged, and never more than is known here. It never falls within a
// generation: a lease granted later travels behind the rules on its stream.
func (e *Engine) advance() int64 {
	now := e.clock.Now().Boot
	w := e.known
	for en := range e.entries {
		switch {
		case en.deadline > now:
			w = min(w, en.peer.acked)
		case en.deadline > 0 && !en.lapsed:
			en.lapsed = true
			if en.peer.acked < e.known {
				e.lapsed++
			}
		}
	}
	e.watermark = max(e.watermark, w)
	e.forget(now)
	return e.watermark
}
