package grpcserver

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// listener knows the connections that are still in their handshake. grpc-go waits for them before it sends the first
// GOAWAY, and even in Stop: a client that connects and stays silent would hold up a stop for the whole connection
// timeout, 120 s by default.
type listener struct {
	net.Listener

	mu        sync.Mutex
	young     map[*conn]struct{}
	cut       bool
	closeOnce sync.Once
	closeErr  error
}

func newListener(lis net.Listener) *listener {
	return &listener{Listener: lis, young: make(map[*conn]struct{})}
}

// Accept returns the next connection, which counts as young until its handshake is over.
func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, lis: l}
	l.mu.Lock()
	l.young[c] = struct{}{}
	cut := l.cut
	l.mu.Unlock()
	if cut {
		_ = c.Close()
	}
	if sys, ok := raw.(syscall.Conn); ok {
		return &sysConn{conn: c, sys: sys}, nil
	}
	return c, nil
}

// Close closes the listener once: the server and the last part of the stop both do.
func (l *listener) Close() error {
	l.closeOnce.Do(func() { l.closeErr = l.Listener.Close() })
	return l.closeErr
}

// handshakes returns the number of young connections.
func (l *listener) handshakes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.young)
}

// cutHandshakes closes the young connections, and those to come.
func (l *listener) cutHandshakes() {
	l.mu.Lock()
	l.cut = true
	var list []*conn
	for c := range l.young {
		list = append(list, c)
	}
	l.mu.Unlock()
	for _, c := range list {
		_ = c.Close()
	}
}

func (l *listener) grown(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.young, c)
}

// conn is a connection of a listener.
type conn struct {
	net.Conn

	lis *listener
}

// SetDeadline with the zero time is what grpc-go does when the handshake is over.
func (c *conn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.lis.grown(c)
	}
	return c.Conn.SetDeadline(t)
}

// Close closes the connection.
func (c *conn) Close() error {
	c.lis.grown(c)
	return c.Conn.Close()
}

// sysConn keeps the file descriptor of a connection within reach, for credentials and channelz.
type sysConn struct {
	*conn

	sys syscall.Conn
}

// SyscallConn returns the raw connection.
func (c *sysConn) SyscallConn() (syscall.RawConn, error) { return c.sys.SyscallConn() }
