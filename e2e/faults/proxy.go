package faults

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Proxy is a link between two processes that can be cut: then bytes stay where
// they are, in both directions, as in a partition, and go on when it heals. Its
// address stays when the process behind it gets another one.
type Proxy struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	flow   chan struct{} // closed while the link is whole
	whole  bool
	conns  map[net.Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

// NewProxy listens on loopback.
func NewProxy(ctx context.Context, target string) (*Proxy, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{listener: l, target: target, flow: make(chan struct{}), whole: true, conns: map[net.Conn]struct{}{}}
	close(p.flow)
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is where to connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Point changes where later connections go.
func (p *Proxy) Point(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Cut stops all bytes until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.whole {
		p.whole, p.flow = false, make(chan struct{})
	}
}

// Heal lets the bytes go on.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.whole {
		p.whole = true
		close(p.flow)
	}
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.Heal()
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(near) })
	}
}

func (p *Proxy) serve(near net.Conn) {
	if !p.hold(near) {
		return
	}
	defer p.drop(near)
	p.pass()
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	far, err := new(net.Dialer).DialContext(context.Background(), "tcp", target)
	if err != nil || !p.hold(far) {
		return
	}
	defer p.drop(far)
	var both sync.WaitGroup
	both.Go(func() { p.copy(far, near) })
	both.Go(func() { p.copy(near, far) })
	both.Wait()
}

// copy ends both connections with one.
func (p *Proxy) copy(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.pass() // what was read while the link was cut waits here
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return // io.EOF too: gRPC and PostgreSQL do not half-close
		}
	}
}

// pass waits until the link is whole.
func (p *Proxy) pass() {
	for {
		p.mu.Lock()
		flow, whole := p.flow, p.whole
		p.mu.Unlock()
		if whole {
			return
		}
		<-flow
	}
}

func (p *Proxy) hold(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	_ = c.Close()
}
