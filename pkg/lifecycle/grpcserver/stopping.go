package grpcserver

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"
)

// ErrStopping is the cause of the end of a context of [Stopping] when the server stops.
var ErrStopping = errors.New("grpcserver: the server is stopping")

// noticeGap lies between the notices of two calls, so that a hundred clients a second have to find another server. A
// stop with a few streams is not delayed noticeably, and one with many spreads them over half of its drain.
const noticeGap = 10 * time.Millisecond

// Stopping returns a context for a call without an end of its own: a stream that follows something, a long poll. It is
// derived from ctx, the context of the call, and ends with it; when the server stops, it ends with the cause
// [ErrStopping], while ctx still lives. The handler then says good-bye, as a rule with codes.Unavailable, and returns;
// its client opens the call again elsewhere.
//
// The calls of one server are told one after the other, 10 ms apart, or closer if there are so many that it would take
// more than half of the time that is left to drain: a thousand clients that come back in the same instant would be an
// attack on the next server. None is told before clients got their GOAWAY, since they would come back to this server.
// A call that asks only after the telling has begun is told at once. A handler that never asks is cut at the deadline
// of phase lifecycle.Drain.
//
// A call that asks again with the same ctx gets the same context. One for another ctx is kept until the call ends, so a
// stream asks once, not with a context of each message.
//
// Where the server has no [Tracker], ctx itself is returned.
func Stopping(ctx context.Context) context.Context {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return ctx
	}
	return c.tracker.join(ctx, c)
}

type callKey struct{}

// Value makes the call part of the context that its handler gets, at no cost for calls that don't ask.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// audience are the calls that want to be told, and the contexts that end then.
type audience struct {
	mu      sync.Mutex
	waiting map[*call][]notice
	closed  bool // the telling has begun
}

// notice is a context that ends when its call is told, and what it was derived from.
type notice struct {
	of, ctx context.Context //nolint:containedctx // what the call holds; of is nil if it can't be compared
	cancel  context.CancelCauseFunc
}

// join returns a context of ctx that ends when c is told, or has ended.
func (t *Tracker) join(ctx context.Context, c *call) context.Context {
	a := &t.audience
	a.mu.Lock()
	defer a.mu.Unlock()
	c.listens.Store(true) // before the question: a call that ends meanwhile is seen here or leaves by itself
	if !c.inFlight() {
		return ended(ctx, context.Canceled)
	}
	list, waits := a.waiting[c]
	if !waits && a.closed {
		return ended(ctx, ErrStopping)
	}
	var of context.Context
	if reflect.ValueOf(ctx).Comparable() { // == panics on others
		of = ctx
	}
	for _, n := range list {
		if of != nil && n.of == of {
			return n.ctx
		}
	}
	if a.waiting == nil {
		a.waiting = make(map[*call][]notice)
	}
	own, cancel := context.WithCancelCause(ctx)
	a.waiting[c] = append(list, notice{of: of, ctx: own, cancel: cancel})
	return own
}

// ended returns a context of ctx that has ended.
func ended(ctx context.Context, cause error) context.Context {
	own, cancel := context.WithCancelCause(ctx)
	cancel(cause)
	return own
}

// leave ends the contexts of a call that has ended.
func (t *Tracker) leave(c *call) { t.release(c, context.Canceled) }

func (t *Tracker) release(c *call, cause error) {
	t.audience.mu.Lock()
	list := t.audience.waiting[c]
	delete(t.audience.waiting, c)
	t.audience.mu.Unlock()
	for _, n := range list {
		n.cancel(cause)
	}
}

// tellAll tells the calls that wait for it in random order, evenly spread over at most the given time. It returns when
// all were told, or at the end of ctx.
func (t *Tracker) tellAll(ctx context.Context, within time.Duration) {
	t.audience.mu.Lock()
	t.audience.closed = true
	calls := slices.Collect(maps.Keys(t.audience.waiting))
	t.audience.mu.Unlock()
	rand.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
	gap := noticeGap
	if n := len(calls); n > 0 {
		gap = min(gap, within/time.Duration(n))
	}
	begin := time.Now()
	wait := time.NewTimer(0)
	defer wait.Stop()
	for i, c := range calls {
		// Moments are counted from the beginning: a timer that is late delays nobody but its own call.
		wait.Reset(time.Until(begin.Add(time.Duration(i) * gap)))
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
		t.release(c, ErrStopping)
	}
}
