package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

// Receipt is what is known about a revocation when the revoking call returns.
type Receipt struct {
	// Seq is the position of the revocation.
	Seq int64
	// Acked is the number of watching processes that refuse the revoked tokens
	// and have cancelled their running calls.
	Acked int32
	// Expired is the number of those whose lease ran out instead: they refuse
	// every token until they have caught up, and have cancelled nothing yet. A
	// process that has just moved may be counted by both of its engines.
	Expired int32
	// Waited is how long the call waited.
	Waited time.Duration
}

// PendingError is the error of [Engine.Await] if the deadline of the caller
// ends before the wait is over. The revocation is committed and comes into
// force by itself, so never answer that it failed.
type PendingError struct {
	// Seq is the position, for a later Await.
	Seq int64
	// InForceBy is when it is in force everywhere at the latest.
	InForceBy time.Time
	// Cause is why the wait ended.
	Cause error
}

// Error implements error.
func (e *PendingError) Error() string {
	return fmt.Sprintf("feed: revocation %d is committed, in force at the latest at %s: %v", e.Seq, e.InForceBy.Format(time.RFC3339), e.Cause)
}

// Unwrap returns the cause.
func (e *PendingError) Unwrap() error { return e.Cause }

// barrier serves all revoking calls of a process with one goroutine, which
// lives while somebody waits.
type barrier struct {
	look chan struct{} // holds at most one signal: look at the watermark now

	mu      sync.Mutex
	waiting map[*waiter]struct{}
	running bool
	seen    map[RowKey]sighting
	last    []Receipt // newest first
}

func (b *barrier) init() {
	b.look = make(chan struct{}, 1)
	b.waiting = make(map[*waiter]struct{})
	b.seen = make(map[RowKey]sighting)
}

// sighting is a row as it was when it last changed.
type sighting struct {
	renewals int64
	length   time.Duration // the longest lease that it ever asked for
	at       time.Duration // when it was first seen so, own boot clock
}

// waiter is one revoking call. Each waits for its own position: to wait for a
// later one would lose its bound.
type waiter struct {
	seq    int64
	start  time.Duration
	read   bool // the feed was read since the commit
	listed bool
	rows   map[RowKey]Row // foreign rows to wait for, as first listed
	local  bool           // the own watchers have passed
	acked  int32
	lapsed int32
	done   chan struct{}
}

const (
	lookEvery   = 20 * time.Millisecond
	minLookTime = time.Second // of one listing of the rows
)

// Await waits until every watcher of every engine refuses what was revoked at
// position seq. Call it after the commit of the revocation. Whatever the store
// and the watchers do, it returns within one row lease, the longest that any
// engine asks for, lengthened by the drift. If ctx ends first, the error is a
// [*PendingError].
//
// A call may revoke the very token that it was made with. The watcher of its
// own process then cancels its context with [revocation.ErrRevoked] while it
// waits; Await ignores that and goes on until the deadline of ctx.
func (e *Engine) Await(ctx context.Context, seq int64) (Receipt, error) {
	w := &waiter{seq: seq, start: e.clock.Now().Boot, done: make(chan struct{})}
	b := &e.barrier
	b.mu.Lock()
	b.waiting[w] = struct{}{}
	if !b.running {
		b.running = true
		// Not the caller's context: the goroutine serves others too. It ends
		// with the last waiter, and every waiter ends by the clock.
		go e.watchRows(context.WithoutCancel(ctx))
	}
	b.mu.Unlock()
	signal(b.look)
	limit := leaseclock.Lengthen(e.cfg.RowLease, e.cfg.Drift)
	// The caller's context, as far as it counts.
	ended, cause := ctx.Done(), func() error { return context.Cause(ctx) }
	for {
		left := w.start + e.longest(w, limit) - e.clock.Now().Boot
		if left <= 0 {
			return e.finish(w, true, true), nil
		}
		t := time.NewTimer(max(left, time.Millisecond))
		select {
		case <-w.done:
			t.Stop()
			return e.finish(w, false, true), nil
		case <-t.C:
		case <-ended:
			t.Stop()
			if errors.Is(cause(), revocation.ErrRevoked) {
				detached, cancel := detach(ctx)
				defer cancel()
				ended, cause = detached.Done(), detached.Err
				continue
			}
			e.finish(w, true, false)
			return Receipt{}, &PendingError{Seq: seq, InForceBy: e.inForceBy(w, limit), Cause: cause()}
		}
	}
}

// detach returns a context that keeps the values and the deadline only.
func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	ctx = context.WithoutCancel(ctx)
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline)
}

// inForceBy returns when a waiter would return at the latest.
func (e *Engine) inForceBy(w *waiter, limit time.Duration) time.Time {
	longest, now := e.longest(w, limit), e.clock.Now()
	return now.Add(w.start + longest - now.Boot).Time()
}

// longest returns how long a waiter waits at most: rows of engines with a
// longer lease are waited for as long as theirs is. Which there are is known
// from before where they could not be listed since.
func (e *Engine) longest(w *waiter, limit time.Duration) time.Duration {
	e.barrier.mu.Lock()
	defer e.barrier.mu.Unlock()
	for _, r := range w.rows {
		limit = max(limit, leaseclock.Lengthen(r.Length, e.cfg.Drift))
	}
	if !w.listed {
		for _, s := range e.barrier.seen {
			limit = max(limit, leaseclock.Lengthen(s.length, e.cfg.Drift))
		}
	}
	return limit
}

// finish takes a waiter out and tells its receipt.
func (e *Engine) finish(w *waiter, over, complete bool) Receipt {
	r := e.receipt(w, over, complete)
	if e.cfg.Awaited != nil {
		e.cfg.Awaited(r, complete)
	}
	return r
}

// receipt takes a waiter out and writes its receipt. If its time is over, all
// that has not passed has lapsed.
func (e *Engine) receipt(w *waiter, over, complete bool) Receipt {
	if over && !w.local {
		acked, lapsed, _ := e.local(w, true)
		e.barrier.mu.Lock()
		w.acked, w.lapsed = w.acked+acked, w.lapsed+lapsed
		e.barrier.mu.Unlock()
	}
	e.barrier.mu.Lock()
	defer e.barrier.mu.Unlock()
	delete(e.barrier.waiting, w)
	signal(e.barrier.look) // the goroutine ends if this was the last
	for _, r := range w.rows {
		w.lapsed += r.Watchers
	}
	r := Receipt{Seq: w.seq, Acked: w.acked, Expired: w.lapsed, Waited: e.clock.Now().Boot - w.start}
	if complete {
		e.barrier.keep(r)
	}
	return r
}

// local reports whether the own watchers have passed, and counts them if they
// have or the waiter's time is over. The
// watermark never exceeds what was dispatched, so this looks after the
// dispatch.
func (e *Engine) local(w *waiter, over bool) (acked, lapsed int32, passed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	passed = e.advance() >= w.seq
	if !passed && !over {
		return 0, 0, false // what there is to count is counted when it has passed
	}
	now := e.clock.Now().Boot
	byPeer := make(map[*peer]bool, len(e.peers)) // true: lapsed
	for en := range e.entries {
		switch {
		case en.deadline > w.start && en.peer.acked >= w.seq:
			byPeer[en.peer] = false
		case en.deadline > w.start && (en.deadline <= now || !passed):
			byPeer[en.peer] = true
		}
	}
	for _, over := range byPeer {
		if over {
			lapsed++
		} else {
			acked++
		}
	}
	return acked, lapsed, passed
}

// watchRows looks at the own watermark and at the rows of the others, for all
// waiters together, until there are none.
func (e *Engine) watchRows(ctx context.Context) {
	b := &e.barrier
	for {
		b.mu.Lock()
		if len(b.waiting) == 0 {
			b.running = false
			b.mu.Unlock()
			return
		}
		waiting := make([]*waiter, 0, len(b.waiting))
		read, list := false, false
		for w := range b.waiting {
			waiting = append(waiting, w)
			read = read || !w.read
			list = list || !w.listed || len(w.rows) > 0
		}
		b.mu.Unlock()
		e.look(ctx, waiting, read, list)
		wait := lookEvery
		if left, ok := e.nextLapse(); ok {
			wait = min(wait, max(left, time.Millisecond))
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-b.look:
		}
		t.Stop()
	}
}

// look reads the feed and lists the rows after the commits of the waiters and
// lets those pass that nothing holds any more. The read is not only for the
// rule: what is known may be of a history that was lost.
func (e *Engine) look(ctx context.Context, waiting []*waiter, read, list bool) {
	ctx, cancel := context.WithTimeout(ctx, max(e.cfg.TTL, minLookTime))
	defer cancel()
	if read {
		if err := e.catchUp(ctx); err != nil {
			e.log.WarnContext(ctx, "revocation feed unreadable at the barrier", slog.Any("error", err))
			read = false
		}
	}
	var rows []Row
	var started time.Duration
	if list {
		started = e.clock.Now().Boot
		var err error
		if rows, err = e.store.Rows(ctx); err != nil {
			e.log.WarnContext(ctx, "rows unreadable at the barrier", slog.Any("error", err))
			list = false
		}
		if len(rows) >= MaxRows { // and who knows which are missing
			e.log.WarnContext(ctx, "too many rows for a barrier", slog.Int("rows", len(rows)))
			list = false
		}
	}
	generation := e.currentGeneration()
	b := &e.barrier
	for _, w := range waiting {
		acked, lapsed, local := e.local(w, false)
		b.mu.Lock()
		w.read = w.read || read
		if local && w.read && !w.local {
			w.local, w.acked, w.lapsed = true, w.acked+acked, w.lapsed+lapsed
		}
		if list {
			e.passRows(w, rows, generation, started)
		}
		_, open := b.waiting[w]
		if open && w.local && w.listed && len(w.rows) == 0 {
			delete(b.waiting, w)
			close(w.done)
		}
		b.mu.Unlock()
	}
	if list {
		e.sight(rows)
	}
}

// passRows looks at each row on its own and forgets the ones that passed. Rows
// that appear after the first listing began with reading the feed after the
// commit; nobody need wait for them.
func (e *Engine) passRows(w *waiter, rows []Row, generation string, started time.Duration) {
	now := make(map[RowKey]Row, len(rows))
	for _, r := range rows {
		if r.RowKey != e.rowKey() {
			now[r.RowKey] = r
		}
	}
	if !w.listed {
		w.listed = true
		w.rows = maps.Clone(now)
	}
	for k, first := range w.rows {
		r, exists := now[k]
		switch {
		case !exists: // removed: its last lease is over
		case r.Watermark >= w.seq && r.Generation == generation:
			w.acked += r.Watchers
			w.lapsed += int32(max(0, min(r.Lapsed-first.Lapsed, maxEntries)))
		case e.dead(r, started):
			if !e.dead(r, w.start) {
				w.lapsed += r.Watchers
			}
		default:
			continue
		}
		delete(w.rows, k)
	}
}
