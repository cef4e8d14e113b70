package faults

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Proxy is a link between two processes that can be cut, in one direction or in
// both: then bytes stay where they are, as in a partition, and go on when it
// heals. Its address stays when the process behind it gets another one.
type Proxy struct {
	listener net.Listener
	there    *gate // from who connects to the process behind the link
	back     *gate
	done     chan struct{} // closed by Close

	mu     sync.Mutex
	target string
	conns  map[net.Conn]struct{}
	far    map[net.Conn]struct{} // those of conns that end at the target
	closed bool
	wg     sync.WaitGroup
}

// NewProxy listens on loopback.
func NewProxy(ctx context.Context, target string) (*Proxy, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{
		listener: l, target: target, there: newGate(), back: newGate(), done: make(chan struct{}),
		conns: map[net.Conn]struct{}{}, far: map[net.Conn]struct{}{},
	}
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
	p.there.close()
	p.back.close()
}

// CutThere stops what is sent to the process behind the link, until Heal.
func (p *Proxy) CutThere() { p.there.close() }

// CutBack stops what the process behind the link sends, until Heal.
func (p *Proxy) CutBack() { p.back.close() }

// Break ends the connections as the process behind the link sees them. With
// the link cut, the other end does not notice.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.far {
		_ = c.Close()
	}
}

// Heal lets the bytes go on.
func (p *Proxy) Heal() {
	p.there.open()
	p.back.open()
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	close(p.done)
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
	if !p.hold(near, p.conns) {
		return
	}
	defer p.drop(near)
	// A connection needs both directions, and is made when they are whole.
	if !p.there.pass(p.there.arrive(), p.done) || !p.back.pass(p.back.arrive(), p.done) {
		return
	}
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	far, err := new(net.Dialer).DialContext(context.Background(), "tcp", target)
	if err != nil || !p.hold(far, p.conns) || !p.hold(far, p.far) {
		return
	}
	defer p.drop(far)
	var both sync.WaitGroup
	both.Go(func() { p.copy(p.there, far, near) })
	both.Go(func() { p.copy(p.back, near, far) })
	both.Wait()
}

// copy ends both connections with one, when the news of that has passed.
func (p *Proxy) copy(g *gate, to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !g.pass(g.arrive(), p.done) { // what was read while the link was cut waits here
			return
		}
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

func (p *Proxy) hold(c net.Conn, in map[net.Conn]struct{}) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return false
	}
	in[c] = struct{}{}
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	delete(p.far, c)
	_ = c.Close()
}
