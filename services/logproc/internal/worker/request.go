package worker

import (
	"context"

	"github.com/curfew-platform/curfew/services/logproc/internal/decode"
	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// Assign queues grants. One grant is one take. It returns false if the worker
// has stopped.
func (w *Worker) Assign(grants []ledger.Grant) bool {
	return w.request(func(ctx context.Context) {
		for _, g := range grants {
			w.take(ctx, g)
		}
	})
}

func (w *Worker) take(ctx context.Context, g ledger.Grant) {
	if old := w.slots[g.Key]; old != nil {
		w.events.put(Event{Kind: Fenced, Progress: w.drop(old)})
	}
	lease, err := w.cfg.Store.Take(ctx, g, Span)
	if err != nil {
		// The take may have been applied and overtaken since. The parent
		// decides whether there is another.
		w.cfg.Log.Warn("partition cannot be taken", "partition", g.Key.String(), "error", err)
		w.events.put(Event{Kind: Fenced, Progress: Progress{Key: g.Key, Token: g.Token}})
		return
	}
	format := w.cfg.Formats[g.Key.Topic]
	if format == "" {
		format = decode.Auto
	}
	w.slots[g.Key] = &slot{lease: lease, format: format, end: -1, known: -1, readTo: lease.Next}
	w.events.changed()
}

// Release hands partitions back and returns how far they came. It waits for
// the batch under way, until ctx ends; an early return is safe, because the
// next owner's take ends this one's.
func (w *Worker) Release(ctx context.Context, keys []ledger.Key) []Progress {
	done := make(chan []Progress, 1)
	if !w.request(func(ctx context.Context) { done <- w.release(ctx, keys) }) {
		return nil
	}
	select {
	case released := <-done:
		return released
	case <-ctx.Done():
	case <-w.stopped:
	}
	return nil
}

func (w *Worker) release(ctx context.Context, keys []ledger.Key) []Progress {
	var released []Progress
	for _, key := range keys {
		s := w.slots[key]
		if s == nil {
			continue
		}
		if err := w.cfg.Store.Release(ctx, s.lease, false); err != nil {
			w.cfg.Log.Warn("release is not written; the next take counts as a try", "partition", key.String(), "error", err)
		}
		released = append(released, w.drop(s))
	}
	return released
}

// Range returns what is in work now, as of the last batch.
func (w *Worker) Range() []Progress { return w.events.snapshot() }

// finish hands everything back and reports.
func (w *Worker) finish(ctx context.Context) {
	w.mu.Lock()
	w.closed = true
	w.requests = nil // Their callers see that the worker has stopped.
	w.mu.Unlock()
	for _, c := range w.pending {
		w.slots[c.Key].tally.HandedBack += count(c.Records)
	}
	w.pending = nil
	var last []Progress
	for _, s := range w.slots {
		if err := w.cfg.Store.Release(ctx, s.lease, false); err != nil {
			w.cfg.Log.Warn("release is not written; the next take counts as a try", "partition", s.lease.Key.String(), "error", err)
		}
		last = append(last, s.progress())
	}
	w.slots = map[ledger.Key]*slot{}
	w.events.report(last)
}
