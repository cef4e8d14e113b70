package feed

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// Engine is one server of the feed. Create it with [New], then call
// [Engine.Run]. Its methods are safe for concurrent use.
type Engine struct {
	cfg   Config
	store Store
	clock leaseclock.Clock
	log   *slog.Logger

	// changed holds at most one signal: the watermark may have risen.
	changed chan struct{}
	// ended holds at most one signal: a stream is over.
	ended chan struct{}

	row     rowLease
	barrier barrier

	mu         sync.Mutex
	generation string
	lost       bool              // commits of this generation are
	known      int64             // position up to which all streams have the rules
	rules      []revocation.Rule // live rules up to known; append only, shared by the writers
	dispatches []dispatch        // recent ones, oldest first
	trimmed    int64             // position of the last dispatch that is no longer in dispatches
	peers      map[peerKey]*peer
	entries    map[*entry]struct{}
	watermark  int64 // highest ever of this generation
	lapsed     int64 // leases that ended unacknowledged
	moving     bool  // watchers are asked to go elsewhere
	stopping   bool  // nothing is granted any more
}

// dispatch is the moment at which positions were written to all streams.
type dispatch struct {
	seq int64         // highest position of it
	at  time.Duration // own boot clock
}

// New returns an engine that does not run yet, or an error if cfg is invalid.
func New(cfg Config) (*Engine, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, store: cfg.Store, clock: cfg.Clock, log: cfg.Logger,
		changed: make(chan struct{}, 1),
		ended:   make(chan struct{}, 1),
		peers:   make(map[peerKey]*peer),
		entries: make(map[*entry]struct{}),
	}
	e.barrier.init()
	return e, nil
}

func newIncarnation() string { return rand.Text() }

// Run follows the feed and keeps the row until ctx ends, and then returns nil.
// It does not return because the store cannot be reached: the leases run out,
// and come back when the store does. [Engine.Await] still works after Run has
// returned. Call Run once.
func (e *Engine) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { e.follow(ctx) })
	wg.Go(func() { e.keepRow(ctx) })
	wg.Go(func() { e.publishProgress(ctx) })
	wg.Wait()
	return nil
}

// Dial returns the watcher.Config.Dial for a watcher in this process. A
// revoking call then also waits until this process itself refuses what was
// revoked.
func (e *Engine) Dial(principal string) func(context.Context) (message.ClientStream, error) {
	return func(ctx context.Context) (message.ClientStream, error) {
		client, server := message.Pipe(ctx)
		go func() {
			defer client.Close()
			if err := e.Serve(ctx, principal, server); err != nil {
				e.log.DebugContext(ctx, "own watcher's stream ended", slog.Any("error", err))
			}
		}()
		return client, nil
	}
}

// Move asks all watchers, also those that connect later, to go to another
// engine. The engine goes on granting leases until [Engine.Stop], so that
// watchers can first get a lease elsewhere. The watcher of the engine's own
// process stays.
func (e *Engine) Move() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.moving = true
	for en := range e.entries {
		en.move = !e.own(en.key)
		signal(en.wake)
	}
}

// Moved waits, after [Engine.Move], until every watcher has ended its stream
// here, which it does when it holds a lease elsewhere. It also returns when ctx
// ends, or when there is no other live engine to go to. left is the number of
// watchers that have not moved; their leases end with this engine's.
func (e *Engine) Moved(ctx context.Context) (left int) {
	e.lookForOthers(ctx)
	for {
		left = e.staying()
		if left == 0 || !e.othersAlive() {
			return left
		}
		select {
		case <-e.ended:
		case <-ctx.Done():
			return e.staying()
		}
	}
}

// staying counts the open streams of other processes.
func (e *Engine) staying() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for en := range e.entries {
		if !en.closed && !e.own(en.key) {
			n++
		}
	}
	return n
}

// own tells whether a watcher is of this process.
func (e *Engine) own(key peerKey) bool {
	return key.replica == e.cfg.Replica && key.incarnation == e.cfg.Incarnation
}

// Stop grants no more leases, waits until the last one is over, and removes the
// row, so that later revoking calls need not wait for this engine. If ctx ends
// first, Stop returns an error, and the row stays until the other engines see
// that it is dead. Run must go on until Stop has returned.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	e.stopping = true
	e.mu.Unlock()
	for {
		last := e.lastDeadline()
		left := last - e.clock.Now().Boot
		if left <= 0 {
			break
		}
		if err := sleep(ctx, left); err != nil {
			return errors.Join(errors.New("feed: leases left at stop, the row stays"), err)
		}
	}
	return e.removeRow(ctx)
}

// Head returns the position up to which the feed was passed on to all streams.
func (e *Engine) Head() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.known
}

// sleep waits for d by the runtime's clock or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(max(d, time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// signal leaves one signal in a channel of capacity one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
