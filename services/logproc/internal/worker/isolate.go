package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/services/logproc/internal/ledger"
)

// suspect notes durably that this process begins with the next record of s, so
// that its death can be held against that record and no other.
func (w *Worker) suspect(ctx context.Context, s *slot) bool {
	err := w.cfg.Store.Suspect(ctx, s.lease)
	switch {
	case err == nil:
		w.watch.begin()
		return true
	case errors.Is(err, ledger.ErrFenced):
		w.fenced(s)
	default:
		w.later(s, err)
		w.pause(ctx)
	}
	return false
}

// watchdog ends the process when one record uses more CPU time than it may. It
// measures CPU, not time on the clock: a process that was stopped, or waits for
// a slow database, has not been hung by its record.
type watchdog struct {
	limit time.Duration
	mu    sync.Mutex
	since time.Duration
	armed bool
}

func newWatchdog(limit time.Duration) *watchdog { return &watchdog{limit: limit} }

func (d *watchdog) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.since, d.armed = cpuTime(), true
}

func (d *watchdog) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = false
}

// exceeded says whether the record in work has used up its limit.
func (d *watchdog) exceeded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.armed && cpuTime()-d.since > d.limit
}

// Watch ends the process, with a trace, when a record uses more CPU time than
// Config.CPULimit. It returns when ctx ends.
func (w *Worker) Watch(ctx context.Context) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if w.watch.exceeded() {
				panic(fmt.Sprintf("a record used more than %v of CPU time", w.cfg.CPULimit))
			}
		}
	}
}

const watchEvery = 100 * time.Millisecond
