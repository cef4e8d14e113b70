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

// Engine follows the feed in the store, passes it on to its watchers, grants
// them leases, and tells a revoking call when everybody refuses. Create it
// with New, then Run it. Its methods are safe for concurrent use.
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

// New returns an engine that is not running yet, or what is wrong with cfg.
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

// Run reads the feed and keeps the row until ctx ends, and returns nil then.
// An unreachable store is no reason to return: leases run out, and come back
// with it. Revoking calls may still [Engine.Await] after Run has returned.
func (e *Engine) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { e.follow(ctx) })
	wg.Go(func() { e.keepRow(ctx) })
	wg.Go(func() { e.publishProgress(ctx) })
	wg.Wait()
	return nil
}

// Dial returns a way for a watcher in this process to reach the engine. The
// watermark then includes what this process itself has applied.
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

// Move asks all watchers, also those that come later, to go to another
// engine; it goes on granting until [Engine.Stop], so that they can hold a
// lease there first. A watcher with the engine's own replica and incarnation is
// of this process and stays.
func (e *Engine) Move() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.moving = true
	for en := range e.entries {
		en.move = !e.own(en.key)
		signal(en.wake)
	}
}

// Moved waits after [Engine.Move] until every watcher holds a lease elsewhere,
// which it tells by ending its stream here, or ctx ends, or no other engine is
// alive that it could go to. It returns how many have not moved: their leases
// end with this engine's.
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

// Stop stops granting, waits until the last lease granted is over, and removes
// the row, so that later revoking calls need not wait for this engine. If ctx
// ends first, the row stays until others see that it is dead; the error says
// so. Run must go on until Stop has returned.
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

// Head returns the position up to which this engine has passed the feed on.
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
