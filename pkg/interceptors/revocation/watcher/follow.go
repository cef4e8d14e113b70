package watcher

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

const firstBackoff = 50 * time.Millisecond

// follow keeps a stream open. To move it opens another one first and gives the
// old one up when the new one has brought a lease.
func (w *Watcher) follow(ctx context.Context) {
	current := w.open(ctx)
	var next *session
	failures := 0
	retry := time.NewTimer(time.Hour)
	retry.Stop()
	defer retry.Stop()
	moving := false
	for {
		var move, nextHeld, nextDone <-chan struct{}
		if next == nil {
			move = current.move
		} else {
			nextHeld, nextDone = next.held, next.done
		}
		select {
		case <-ctx.Done():
			w.close(current, next)
			return
		case <-current.done:
			if w.gone() {
				if next != nil {
					<-next.done // it leaves too
				}
				return
			}
			select {
			case <-current.held:
				failures = 0
			default:
				failures++
			}
			w.log.DebugContext(ctx, "revocation stream ended", slog.Any("error", current.err))
			moving = false
			retry.Stop()
			if next != nil {
				current, next = next, nil
				continue
			}
			if !w.pause(ctx, w.backoff(failures)) {
				return
			}
			current = w.open(ctx)
		case <-move:
			if !moving {
				moving = true
				failures = 0
				next = w.open(ctx)
			}
		case <-retry.C:
			if moving && next == nil {
				next = w.open(ctx)
			}
		case <-nextHeld:
			w.close(current)
			current, next, moving = next, nil, false
		case <-nextDone:
			w.log.DebugContext(ctx, "no better revocation server found", slog.Any("error", next.err))
			next = nil
			failures++
			retry.Reset(w.backoff(failures))
		}
	}
}

// close ends sessions and waits for them.
func (w *Watcher) close(sessions ...*session) {
	for _, s := range sessions {
		if s != nil {
			s.cancel(context.Canceled)
		}
	}
	for _, s := range sessions {
		if s != nil {
			<-s.done
		}
	}
}

// backoff returns a random time to wait before the next attempt: after the
// stop of a server, all its watchers come at once otherwise. It stays short as
// long as there is a lease to lose: that is long enough to ask every server
// several times, of which some have stopped too or have just started.
func (w *Watcher) backoff(failures int) time.Duration {
	limit := min(firstBackoff<<min(failures, 10), w.cfg.TTL/2)
	if w.leased() {
		limit = min(limit, w.cfg.TTL/10)
	}
	return time.Millisecond + rand.N(limit)
}

// leased tells whether the lease runs.
func (w *Watcher) leased() bool { return w.state.Load().deadline.Left(w.clock.Now()) > 0 }

// pause waits; false if there is no reason to go on.
func (w *Watcher) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.leaving:
		return false
	case <-ctx.Done():
		return false
	}
}

func (w *Watcher) gone() bool {
	select {
	case <-w.leaving:
		return true
	default:
		return false
	}
}
