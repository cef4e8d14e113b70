package revoke

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

const (
	coreGoal  = 250 * time.Millisecond
	stormGoal = feed.DefaultRowLease
)

// simulation is an engine with watchers that acknowledge and renew, and do
// nothing else. While they live, rounds revoking calls wait for them.
func simulation(ctx context.Context, watchers, rounds int) ([]ratio.Budget, Size, error) {
	store := feedtest.NewMemory()
	engine, err := feed.New(feed.Config{Store: store, Replica: "bench", Wake: store.Wake()})
	if err != nil {
		return nil, Size{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { _ = engine.Run(ctx) }) // only ever nil
	before := inUse()
	crowd := &crowd{engine: engine, size: watchers, running: &running}
	if err := crowd.join(ctx); err != nil {
		return nil, Size{}, err
	}
	per := Size{Name: "memory of a watcher at the engine, with both ends of its stream", Bytes: float64(inUse()-before) / float64(watchers)}

	live := ratio.Budget{Name: fmt.Sprintf("wait of a revoking call on the core, %d simulated watchers, all live", watchers), Goal: coreGoal}
	for range rounds {
		wait, err := revoke(ctx, engine, store)
		if err != nil {
			return nil, per, err
		}
		live.Samples = append(live.Samples, wait)
	}
	storm := ratio.Budget{Name: fmt.Sprintf("the same while all %d reconnect", watchers), Goal: stormGoal}
	for range storms {
		joined := crowd.reconnect(ctx)
		wait, err := revoke(ctx, engine, store)
		if err = errors.Join(err, <-joined); err != nil {
			return nil, per, err
		}
		storm.Samples = append(storm.Samples, wait)
	}
	return []ratio.Budget{live, storm}, per, nil
}

func revoke(ctx context.Context, engine *feed.Engine, store *feedtest.Memory) (time.Duration, error) {
	r, err := engine.Await(ctx, store.Revoke(revocation.Rule{
		Kind: revocation.KindSession, Issuer: issuer, ID: "session", KeepUntil: time.Now().Add(time.Hour),
	}))
	if err != nil {
		return 0, fmt.Errorf("revoke: %w", err)
	}
	return r.Waited, nil
}

// crowd is the watchers.
type crowd struct {
	engine  *feed.Engine
	size    int
	running *sync.WaitGroup
	end     context.CancelFunc // of the streams that are open
}

// join lets everybody follow the feed, coming back when a stream ends, and
// waits until all hold a lease.
func (c *crowd) join(ctx context.Context) error {
	ctx, c.end = context.WithCancel(ctx)
	ready := make(chan struct{}, c.size)
	for n := range c.size {
		c.running.Go(func() {
			once := sync.OnceFunc(func() { ready <- struct{}{} })
			for ctx.Err() == nil {
				if stream, err := c.engine.Dial("services/bench")(ctx); err == nil {
					watchOne(stream, fmt.Sprint(n), once)
				}
			}
		})
	}
	for range c.size {
		select {
		case <-ready:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// reconnect ends all streams and lets everybody come back.
func (c *crowd) reconnect(ctx context.Context) <-chan error {
	c.end()
	joined := make(chan error, 1)
	c.running.Go(func() { joined <- c.join(ctx) })
	return joined
}

// watchOne follows one stream to its end.
func watchOne(s message.ClientStream, name string, held func()) {
	defer s.Close()
	if s.Send(message.Hello{ReplicaID: name, Incarnation: name}) != nil {
		return
	}
	renew := message.Renew{}
	due := time.NewTicker(feed.DefaultTTL / 3)
	defer due.Stop()
	in, gone := make(chan message.Response), make(chan struct{})
	defer close(gone)
	go func() {
		defer close(in)
		for {
			m, err := s.Recv()
			if err != nil {
				return
			}
			select {
			case in <- m:
			case <-gone:
				return
			}
		}
	}()
	for {
		select {
		case m, open := <-in:
			if !open {
				return
			}
			switch m := m.(type) {
			case message.Snapshot:
				renew.Generation, renew.AppliedSeq = m.Generation, m.HeadSeq
			case message.Events:
				renew.AppliedSeq = m.Seq
			case message.Grant:
				if m.TTL > 0 {
					held()
				}
				continue
			}
		case <-due.C:
		}
		renew.Nonce++
		if s.Send(renew) != nil {
			return
		}
	}
}

// inUse is the memory of live objects and stacks.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
