package lifecycle

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Every adds a goroutine that calls f again and again: first after a random time below jitter, then each time interval,
// and a random time below jitter, after the last call has returned. Calls never overlap. The random times keep replicas
// that started together from working together.
//
// As with [Group.Go], the context of f ends when phase [Drain] begins, a call that is under way is awaited in Drain, none
// begins after that, and a panic stops the group. An error is logged and makes the part [Degraded] until a call succeeds.
// An interval that is not positive, or a negative jitter, stops the group with a [*UsageError].
func (g *Group) Every(name string, interval, jitter time.Duration, f func(ctx context.Context) error) {
	if interval <= 0 || jitter < 0 {
		g.Shutdown(&UsageError{Err: fmt.Errorf("lifecycle: %q is to run every %v with a jitter of %v", name, interval, jitter)})
		return
	}
	t := &ticker{g: g, name: name, interval: interval, jitter: jitter, f: f}
	g.spawn(name, t.run, t.health)
}

// ticker calls a function again and again.
type ticker struct {
	g                *Group
	name             string
	interval, jitter time.Duration
	f                func(context.Context) error
	failed           atomic.Bool // the last call has
}

func (t *ticker) run(ctx context.Context) error {
	wait := time.NewTimer(t.random())
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		if ctx.Err() != nil { // both were there
			return nil
		}
		t.note(ctx, t.f(ctx))
		wait.Reset(t.interval + t.random())
	}
}

func (t *ticker) random() time.Duration {
	if t.jitter == 0 {
		return 0
	}
	return rand.N(t.jitter)
}

// note takes note of how a call ended. That the stop has ended it is no failure.
func (t *ticker) note(ctx context.Context, err error) {
	switch {
	case err == nil:
		t.failed.Store(false)
	case ctx.Err() == nil:
		t.failed.Store(true)
		t.g.notes.add(slog.LevelWarn, "periodic work has failed, trying again", slog.String("goroutine", t.name), slog.String("error", err.Error()))
	}
}

// health keeps the error to the log: who asks for the health may be anybody.
func (t *ticker) health() Health {
	if t.failed.Load() {
		return Health{Condition: Degraded, Reason: "the last call has failed"}
	}
	return Health{}
}
