package token

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// fetching is one fetch of a Remote: it runs, or begins when the pause is over.
// Its fields are guarded by the Remote, except that anybody may wait for done.
type fetching struct {
	done    chan struct{} // closed when it is over
	begun   bool
	waiting int // calls that came before it began
}

// maxWaiting bounds the calls that wait for a fetch to begin.
const maxWaiting = 1000

// join counts a call that waits.
func (f *fetching) join() bool {
	if f.begun {
		return true
	}
	f.waiting++
	return f.waiting <= maxWaiting
}

// wait returns when the fetch is over, or with an error when the call is. It has
// no more patience than freshWait if there is something else to judge by.
func (f *fetching) wait(ctx context.Context, known bool) error {
	var patience <-chan time.Time
	if known {
		timer := time.NewTimer(freshWait)
		defer timer.Stop()
		patience = timer.C
	}
	select {
	case <-f.done:
		return nil
	case <-patience:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// startLocked starts or joins a fetch, which begins after the pause. None starts
// after Close.
func (r *Remote) startLocked(pause time.Duration) *fetching {
	if r.next != nil || r.ctx.Err() != nil {
		return r.next
	}
	f := &fetching{done: make(chan struct{})}
	r.next = f
	if pause <= 0 {
		r.beginLocked(f)
	}
	r.wg.Go(func() { r.run(f, pause) })
	return f
}

func (r *Remote) beginLocked(f *fetching) { f.begun, r.triedAt = true, time.Now() }

func (r *Remote) run(f *fetching, pause time.Duration) {
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.ctx.Done():
		}
		r.mu.Lock()
		r.beginLocked(f)
		r.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.options.Timeout)
	defer cancel()
	keys, err := r.load(ctx)
	if err != nil && r.ctx.Err() == nil {
		r.logger.LogAttrs(ctx, slog.LevelWarn, "signing keys not refreshed", slog.String("error", err.Error()))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answeredAt, r.failed = r.triedAt, err
	if err == nil {
		r.keys, r.fetchedAt = keys, time.Now()
	}
	r.next = nil
	close(f.done)
}

func (r *Remote) load(ctx context.Context) (map[string]Key, error) {
	data, err := r.fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetch jwk set: %w", err)
	}
	list, err := ParseSet(data)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]Key, len(list))
	for _, k := range list {
		keys[k.ID] = k
	}
	return keys, nil
}
