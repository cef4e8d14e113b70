package feed

import (
	"context"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

// observe looks at the rows of the others and removes those that are dead, so
// that a dead engine makes revoking calls wait once and not for ever.
func (e *Engine) observe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.RowLease)
	defer cancel()
	started := e.clock.Now().Boot
	rows, err := e.store.Rows(ctx)
	if err != nil {
		return err
	}
	e.barrier.mu.Lock()
	var gone []Row
	for _, r := range rows {
		if r.RowKey != e.rowKey() && e.dead(r, started) {
			gone = append(gone, r)
		}
	}
	e.barrier.mu.Unlock()
	e.sight(rows)
	for _, r := range gone {
		// Only as it was seen. If it renews all the same, it reads the feed
		// after that, as always.
		if err := e.store.Remove(ctx, r.RowKey, r.Renewals); err != nil {
			return err
		}
		e.log.InfoContext(ctx, "row of a dead engine removed", slog.String("replica", r.Replica))
	}
	return nil
}

// sight notes the rows and since when each is as it is, by the own clock: a
// listing is known to be of a moment before now.
func (e *Engine) sight(rows []Row) {
	now := e.clock.Now().Boot
	e.barrier.mu.Lock()
	defer e.barrier.mu.Unlock()
	seen := make(map[RowKey]sighting, len(rows))
	for _, r := range rows {
		s, ok := e.barrier.seen[r.RowKey]
		if !ok || s.renewals != r.Renewals {
			s = sighting{renewals: r.Renewals, at: now}
		}
		s.length = r.Length
		seen[r.RowKey] = s
	}
	e.barrier.seen = seen
}

// dead reports whether a row, listed after started, has not been renewed for
// longer than its lease: nothing granted under it can be left. The clock of
// the store has no say. The caller holds the barrier's lock.
func (e *Engine) dead(r Row, started time.Duration) bool {
	s, ok := e.barrier.seen[r.RowKey]
	length := leaseclock.Lengthen(max(r.Length, e.cfg.RowLease), e.cfg.Drift)
	return ok && s.renewals == r.Renewals && started-s.at >= length
}

// lookForOthers notes the engines that have come since the last look: in a
// rolling restart the one that was restarted before. What cannot be read stays
// as it was seen.
func (e *Engine) lookForOthers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, minLookTime)
	defer cancel()
	rows, err := e.store.Rows(ctx)
	if err != nil {
		e.log.WarnContext(ctx, "rows unreadable before a move", slog.Any("error", err))
		return
	}
	e.sight(rows)
}

// othersAlive reports whether another engine renewed its row lately.
func (e *Engine) othersAlive() bool {
	now := e.clock.Now().Boot
	e.barrier.mu.Lock()
	defer e.barrier.mu.Unlock()
	for key, s := range e.barrier.seen {
		if key != e.rowKey() && now-s.at < e.cfg.RowLease {
			return true
		}
	}
	return false
}
