package grpcserver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
)

// shards spreads the calls over so many locks that tracking costs the request path no contention.
const shards = 32

// Tracker knows the calls that a server is working on. One tracker belongs to one server. All methods are safe for
// concurrent use.
type Tracker struct {
	shards   [shards]shard
	audience audience
	drains   drains
	quit     chan struct{} // closed when health watches must end
	quitOnce sync.Once
}

type shard struct {
	mu    sync.Mutex
	calls map[*call]struct{}
	begun uint64 // calls ever
	_     [64]byte
}

// call is a call in flight, and the context that its handler gets.
type call struct {
	context.Context //nolint:containedctx // it is one

	tracker *Tracker
	shard   *shard
	method  string
	since   time.Time
	listens atomic.Bool // it has called Stopping
	stream  bool
}

// NewTracker returns a tracker without calls.
func NewTracker() *Tracker {
	t := &Tracker{quit: make(chan struct{})}
	for i := range t.shards {
		t.shards[i].calls = make(map[*call]struct{})
	}
	return t
}

// ServerOptions returns the options that the server must be made with. Put them before options with other interceptors,
// so that a call counts until its last interceptor has returned.
func (t *Tracker) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(t.unary),
		grpc.ChainStreamInterceptor(t.streaming),
	}
}

func (t *Tracker) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c := t.begin(ctx, info.FullMethod, false)
	defer c.end()
	return handler(c, req)
}

func (t *Tracker) streaming(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if info.FullMethod == healthpb.Health_Watch_FullMethodName {
		return t.watch(srv, ss, handler)
	}
	c := t.begin(ss.Context(), info.FullMethod, true)
	defer c.end()
	return handler(srv, &stream{ServerStream: ss, ctx: c})
}

// watch runs a Health/Watch, which lasts as long as its client likes, but not into the drain. It is not work in flight.
func (t *Tracker) watch(srv any, ss grpc.ServerStream, handler grpc.StreamHandler) error {
	ctx, cancel := context.WithCancel(ss.Context())
	defer cancel()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-t.quit:
			cancel()
		case <-ended:
		}
	}()
	return handler(srv, &stream{ServerStream: ss, ctx: ctx})
}

// stream is a stream with another context.
type stream struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // what the interface is
}

// Context implements grpc.ServerStream.
func (s *stream) Context() context.Context { return s.ctx }

// endWatches ends the health watches, also those to come.
func (t *Tracker) endWatches() { t.quitOnce.Do(func() { close(t.quit) }) }

func (t *Tracker) begin(ctx context.Context, method string, stream bool) *call {
	s := &t.shards[rand.Uint32N(shards)] //nolint:gosec // spreads load, protects nothing
	c := &call{Context: ctx, tracker: t, shard: s, method: method, since: time.Now(), stream: stream}
	s.mu.Lock()
	s.calls[c] = struct{}{}
	s.begun++
	s.mu.Unlock()
	return c
}

func (c *call) end() {
	c.shard.mu.Lock()
	delete(c.shard.calls, c)
	c.shard.mu.Unlock()
	if c.listens.Load() {
		c.tracker.leave(c)
	}
}

// inFlight reports whether the handler of the call runs.
func (c *call) inFlight() bool {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	_, ok := c.shard.calls[c]
	return ok
}

// InFlight returns the number of calls whose handlers run, without health watches.
func (t *Tracker) InFlight() int64 {
	n, _ := t.count()
	return n
}

// count returns the calls in flight and the calls ever begun.
func (t *Tracker) count() (inFlight int64, begun uint64) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		inFlight += int64(len(s.calls))
		begun += s.begun
		s.mu.Unlock()
	}
	return inFlight, begun
}

// Calls names the calls in flight, the oldest first: method, peer, age.
func (t *Tracker) Calls() []string {
	var calls []*call
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for c := range s.calls {
			calls = append(calls, c)
		}
		s.mu.Unlock()
	}
	slices.SortFunc(calls, func(a, b *call) int { return a.since.Compare(b.since) })
	names := make([]string, len(calls))
	for i, c := range calls {
		from := "unknown peer"
		if p, ok := peer.FromContext(c); ok && p.Addr != nil {
			from = p.Addr.String()
		}
		names[i] = fmt.Sprintf("%s from %s for %v", c.method, from, time.Since(c.since).Round(time.Millisecond))
	}
	return names
}
