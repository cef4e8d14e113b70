package rolling

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// endpoints is what clients know of the replicas: late, as through an
// EndpointSlice, kube-proxy or DNS.
type endpoints struct {
	delay   time.Duration
	channel *manual.Resolver // for clients that balance

	mu      sync.Mutex
	addrs   []string
	next    int
	pending sync.WaitGroup
	ended   chan struct{}
}

func newEndpoints(delay time.Duration) *endpoints {
	e := &endpoints{delay: delay, channel: manual.NewBuilderWithScheme("rolling"), ended: make(chan struct{})}
	e.channel.InitialState(resolver.State{})
	return e
}

func (e *endpoints) close() {
	close(e.ended)
	e.pending.Wait()
}

func (e *endpoints) list() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.addrs)
}

// pick returns one endpoint after the other, as a virtual address does for
// every new connection.
func (e *endpoints) pick() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next++
	return e.addrs[e.next%len(e.addrs)]
}

// set tells all clients now.
func (e *endpoints) set(addrs []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.addrs = addrs
	state := resolver.State{}
	for _, addr := range addrs {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
	}
	e.channel.InitialState(state)
	e.channel.UpdateState(state)
}

// add tells clients of a new endpoint after the delay, and returns then.
func (e *endpoints) add(ctx context.Context, addr string) error {
	select {
	case <-time.After(e.delay):
	case <-ctx.Done():
		return fmt.Errorf("add an endpoint: %w", context.Cause(ctx))
	}
	e.set(append(e.list(), addr))
	return nil
}

// removeLater tells clients after the delay that an endpoint is gone, and
// returns now.
func (e *endpoints) removeLater(addr string) {
	timer := time.NewTimer(e.delay)
	e.pending.Go(func() {
		defer timer.Stop()
		select {
		case <-timer.C:
			e.set(slices.DeleteFunc(e.list(), func(a string) bool { return a == addr }))
		case <-e.ended:
		}
	})
}

// settled waits until clients know all that was said.
func (e *endpoints) settled(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		e.pending.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("endpoints: %w", context.Cause(ctx))
	}
}
