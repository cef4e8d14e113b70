// Package watcher is the replica side of the leased feed: a revocation source
// that knows every revocation whose revoking call has returned, without a
// look-up per call.
//
// A [Watcher] holds the set of rules and a lease. While the lease runs, no
// revoking call returns before this process has applied its rule. When the
// lease is over, the watcher says that its knowledge is not fresh, and the
// policy of the method decides. A lease counts from the moment at which this
// process asked for it, on its own clock, so that a process that was paused
// finds its lease over.
//
// Package watchergrpc connects a watcher to its servers over gRPC; package feed
// is the server side.
package watcher

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/inflight"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
)

// Watcher follows the feed. Create it with [New], then call [Watcher.Run]. Its
// methods are safe for concurrent use.
type Watcher struct {
	cfg   Config
	clock leaseclock.Clock
	log   *slog.Logger

	inflight inflight.Index

	state    atomic.Pointer[state]
	ready    chan struct{} // closed with the first lease
	granted  chan struct{} // holds at most one signal: the lease was extended, or given up
	leaving  chan struct{} // closed by Leave
	finished chan struct{} // closed when Run returns

	mu         sync.Mutex // serializes changes of the state and of what follows
	sessions   map[*session]struct{}
	generation string
	applied    int64  // published, and matching calls cancelled
	resyncs    uint64 // how often the position was given up
	started    bool   // Run was called
	left       bool   // no lease any more
	losses     uint64 // leases that were over before the next one
	purged     purge
}

// state is what a check reads: one immutable value, so that set and deadline
// belong together.
type state struct {
	set      *revocation.Set
	deadline leaseclock.Instant
	givenUp  leaseclock.Instant // when, if there is no deadline since; not by a stop
	known    bool               // the first snapshot is in
	purged   purge              // of the set
}

var (
	_ revocation.Source = (*Watcher)(nil)
	_ inflight.Owner    = (*Watcher)(nil)
)

// New returns a watcher that does not run yet, or an error if cfg is invalid.
func New(cfg Config) (*Watcher, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	w := &Watcher{
		cfg: cfg, clock: cfg.Clock, log: cfg.Logger,
		ready:    make(chan struct{}),
		granted:  make(chan struct{}, 1),
		leaving:  make(chan struct{}),
		finished: make(chan struct{}),
		sessions: make(map[*session]struct{}),
	}
	w.purged.at = w.clock.Now()
	w.state.Store(&state{set: &revocation.Set{}})
	return w, nil
}

// Check implements [revocation.Source]. It loads set and deadline together and
// reads the clock after that. The other order would accept a token whose rule
// was applied, and followed by a new lease, between the two.
func (w *Watcher) Check(id *identity.Identity) revocation.Verdict {
	s := w.state.Load()
	now := w.clock.Now()
	v := revocation.Verdict{Revoked: s.set.Revokes(id, now.Time())}
	switch {
	case !s.known || s.deadline == (leaseclock.Instant{}) || s.purged.undone(now):
		v.StaleFor = revocation.Unknown
	case s.deadline.Over(now):
		v.StaleFor = max(-s.deadline.Left(now), 1)
	default:
		v.Fresh = true
	}
	return v
}

// Inflight implements [inflight.Owner].
func (w *Watcher) Inflight() *inflight.Index { return &w.inflight }

// Ready is closed when the first snapshot and the first lease have arrived. Do
// not serve before.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Status is the state of a watcher, for metrics.
type Status struct {
	// Generation and AppliedSeq are the position in the feed.
	Generation string
	AppliedSeq int64
	// Rules is the number of rules held.
	Rules int
	// Lease is what is left of the lease. Negative if it is over, zero if there
	// was none.
	Lease time.Duration
	// Losses counts the leases that were over, or given up, before the next one
	// came. Between the two, calls of fail-closed methods are refused.
	Losses uint64
	// Left is true after [Watcher.Leave].
	Left bool
}

// Status returns the current state of the watcher.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, now, losses := w.state.Load(), w.clock.Now(), w.losses
	if !w.left && s.deadline != (leaseclock.Instant{}) && s.deadline.Over(now) {
		losses++ // counted by the next grant
	}
	var left time.Duration
	if end := cmp.Or(s.deadline, s.givenUp); end != (leaseclock.Instant{}) {
		left = end.Left(now)
	}
	return Status{Generation: w.generation, AppliedSeq: w.applied, Rules: s.set.Len(), Lease: left, Losses: losses, Left: w.left}
}

// Run follows the feed until ctx ends or [Watcher.Leave] is called, and then
// returns nil. No failure of a server ends it: the lease runs out, and comes
// back when the servers do. A second call returns an error.
func (w *Watcher) Run(ctx context.Context) error {
	w.mu.Lock()
	if w.started {
		w.mu.Unlock()
		return errors.New("watcher: run twice")
	}
	w.started = true
	w.mu.Unlock()
	defer close(w.finished)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { w.endStaleCalls(ctx) })
	w.follow(ctx)
	cancel()
	return nil
}

// Leave gives up the lease for good and tells the server, so that no revoking
// call waits for this process. Stop admitting calls first. From then on checks
// are not fresh and grants are ignored, but running fail-closed calls are not
// cancelled, so that a stop can drain them. Leave returns nil when Run has
// returned, or the cause of ctx if that ends first.
func (w *Watcher) Leave(ctx context.Context) error {
	w.mu.Lock()
	started := w.started
	if !w.left {
		w.left = true
		s := *w.state.Load()
		s.deadline, s.givenUp = leaseclock.Instant{}, leaseclock.Instant{}
		w.state.Store(&s)
		close(w.leaving)
	}
	w.mu.Unlock()
	if !started {
		return nil
	}
	select {
	case <-w.finished:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// endStaleCalls cancels running fail-closed calls when the lease has been over
// for longer than the grace: where a revoking call returned because the lease
// of this process ran out, nobody has cancelled them yet.
func (w *Watcher) endStaleCalls(ctx context.Context) {
	for {
		s := w.state.Load()
		wait, end := w.cfg.TTL, cmp.Or(s.deadline, s.givenUp)
		if end != (leaseclock.Instant{}) {
			left := end.Add(w.cfg.Grace).Left(w.clock.Now())
			if left <= 0 {
				if n := w.inflight.CancelFailClosed(revocation.ErrStale); n > 0 {
					w.log.WarnContext(ctx, "running calls cancelled after the end of the lease", slog.Int("calls", n))
				}
				left = w.cfg.TTL
			}
			wait = left
		}
		t := time.NewTimer(max(wait, time.Millisecond))
		select {
		case <-t.C:
		case <-w.granted:
		case <-ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}
