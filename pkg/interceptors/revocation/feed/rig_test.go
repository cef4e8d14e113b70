package feed_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock/leaseclocktest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

const (
	ttl      = feed.DefaultTTL
	rowLease = feed.DefaultRowLease
	drift    = feed.DefaultDrift
)

// rig is a store with engines in a bubble, driven by hand.
type rig struct {
	t     *testing.T
	ctx   context.Context
	store *feedtest.Memory
	wg    sync.WaitGroup
}

// bubble runs a test in virtual time and ends what it started.
func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &rig{t: t, ctx: ctx, store: feedtest.NewMemory()}
		test(t, r)
		cancel()
		r.wg.Wait()
		time.Sleep(time.Minute) // what is still at a barrier ends by the clock
	})
}

// testEngine is a running engine whose store can be cut off.
type testEngine struct {
	*feed.Engine
	r     *rig
	clock *leaseclocktest.Clock
	hooks *hookedStore
	kill  context.CancelFunc
}

// engine starts one and waits until it holds a row lease.
func (r *rig) engine(name string, options ...func(*feed.Config)) *testEngine {
	r.t.Helper()
	e := &testEngine{r: r, clock: leaseclocktest.New(0), hooks: &hookedStore{Store: r.store}}
	cfg := feed.Config{Store: e.hooks, Replica: name, Clock: e.clock, Logger: quiet, Wake: r.store.Wake()}
	for _, o := range options {
		o(&cfg)
	}
	engine, err := feed.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	e.Engine = engine
	ctx, cancel := context.WithCancel(r.ctx)
	e.kill = cancel
	r.wg.Go(func() {
		if err := engine.Run(ctx); err != nil {
			r.t.Error(err)
		}
	})
	synctest.Wait()
	return e
}

// hookedStore lets a test stand between an engine and the store.
type hookedStore struct {
	feed.Store
	mu          sync.Mutex
	beforeRenew func(ctx context.Context) error
	afterRenew  func(ctx context.Context) error
	beforeRead  func(ctx context.Context) error
	beforeRows  func(ctx context.Context) error
	beforeOther func(ctx context.Context) error
	rows        func([]feed.Row) []feed.Row // changes what a listing holds
}

// set changes hooks under the lock that their use takes.
func (s *hookedStore) set(change func(*hookedStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// cut makes every call wait until its context ends, as a partition does.
func (s *hookedStore) cut() {
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	s.set(func(s *hookedStore) {
		s.beforeRenew, s.beforeRead, s.beforeRows, s.beforeOther = wait, wait, wait, wait
	})
}

func (s *hookedStore) heal() {
	s.set(func(s *hookedStore) {
		s.beforeRenew, s.afterRenew, s.beforeRead, s.beforeRows, s.beforeOther = nil, nil, nil, nil, nil
	})
}

func (s *hookedStore) run(ctx context.Context, which func(*hookedStore) func(context.Context) error) error {
	s.mu.Lock()
	hook := which(s)
	s.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx)
}

func (s *hookedStore) Renew(ctx context.Context, r feed.Renewal) (time.Duration, error) {
	if err := s.run(ctx, func(s *hookedStore) func(context.Context) error { return s.beforeRenew }); err != nil {
		return 0, err
	}
	granted, err := s.Store.Renew(ctx, r)
	if err != nil {
		return 0, err
	}
	return granted, s.run(ctx, func(s *hookedStore) func(context.Context) error { return s.afterRenew })
}

func (s *hookedStore) Read(ctx context.Context, after int64, limit int) (feed.Page, error) {
	if err := s.run(ctx, func(s *hookedStore) func(context.Context) error { return s.beforeRead }); err != nil {
		return feed.Page{}, err
	}
	return s.Store.Read(ctx, after, limit)
}

func (s *hookedStore) Rows(ctx context.Context) ([]feed.Row, error) {
	if err := s.run(ctx, func(s *hookedStore) func(context.Context) error { return s.beforeRows }); err != nil {
		return nil, err
	}
	rows, err := s.Store.Rows(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows != nil {
		rows = s.rows(rows)
	}
	return rows, err
}

func (s *hookedStore) Publish(ctx context.Context, k feed.RowKey, p feed.Progress) error {
	if err := s.run(ctx, func(s *hookedStore) func(context.Context) error { return s.beforeOther }); err != nil {
		return err
	}
	return s.Store.Publish(ctx, k, p)
}

func (s *hookedStore) Remove(ctx context.Context, k feed.RowKey, n int64) error {
	if err := s.run(ctx, func(s *hookedStore) func(context.Context) error { return s.beforeOther }); err != nil {
		return err
	}
	return s.Store.Remove(ctx, k, n)
}

// client is the watcher's end of a stream, driven by hand.
type client struct {
	message.ClientStream
	t          *testing.T
	generation string
	applied    int64 // what arrived
	events     []message.Events
	nonce      uint64
	moved      bool
}

// join says Hello and takes the snapshot.
func (e *testEngine) join(replica, incarnation string, lastSeq int64) *client {
	e.r.t.Helper()
	c := e.hello(replica, incarnation, lastSeq)
	m, err := c.Recv()
	if err != nil {
		e.r.t.Fatal(err)
	}
	s, ok := m.(message.Snapshot)
	if !ok {
		e.r.t.Fatalf("first message is %T", m)
	}
	c.generation, c.applied = s.Generation, max(lastSeq, s.HeadSeq)
	return c
}

func (e *testEngine) hello(replica, incarnation string, lastSeq int64) *client {
	e.r.t.Helper()
	stream, err := e.Dial("services/orders")(e.r.ctx)
	if err != nil {
		e.r.t.Fatal(err)
	}
	c := &client{ClientStream: stream, t: e.r.t}
	if err := c.Send(message.Hello{ReplicaID: replica, Incarnation: incarnation, LastSeq: lastSeq, Generation: "1"}); err != nil {
		e.r.t.Fatal(err)
	}
	return c
}

// renew acknowledges a position and returns the lease granted.
func (c *client) renew(applied int64) time.Duration {
	c.t.Helper()
	c.ask(applied)
	return c.granted()
}

func (c *client) ask(applied int64) {
	c.t.Helper()
	c.nonce++
	if err := c.Send(message.Renew{Nonce: c.nonce, AppliedSeq: applied, Generation: c.generation}); err != nil {
		c.t.Fatal(err)
	}
}

// granted reads up to the answer of the last renewal.
func (c *client) granted() time.Duration {
	c.t.Helper()
	for {
		m, err := c.Recv()
		if err != nil {
			c.t.Fatal(err)
		}
		switch m := m.(type) {
		case message.Events:
			c.events = append(c.events, m)
			c.applied = max(c.applied, m.Seq)
		case message.Grant:
			if m.Nonce == c.nonce {
				return m.TTL
			}
		case message.Move:
			c.moved = true
		}
	}
}

// drain reads and forgets until the stream ends.
func (c *client) drain() {
	for {
		if _, err := c.Recv(); err != nil {
			return
		}
	}
}

// await starts a revoking call's wait; the channel gets the receipt.
func (e *testEngine) await(seq int64) <-chan feed.Receipt {
	done := make(chan feed.Receipt, 1)
	e.r.wg.Go(func() {
		r, err := e.Await(e.r.ctx, seq)
		if err == nil {
			done <- r
		}
	})
	return done
}

// returned reports whether a wait is over by now.
func returned(c <-chan feed.Receipt) bool {
	synctest.Wait()
	return len(c) > 0
}

func subjectRule(id string) revocation.Rule {
	return revocation.Rule{
		Kind: revocation.KindSubjectEpoch, Issuer: issuer, ID: id, Epoch: 2, KeepUntil: time.Now().Add(time.Hour),
	}
}

func lengthened(d time.Duration) time.Duration { return leaseclock.Lengthen(d, drift) }
func shortened(d time.Duration) time.Duration  { return leaseclock.Shorten(d, drift) }
