// Package httpserver stops a net/http server as parts of a lifecycle.Group.
//
//	intake off  the listener and idle connections close
//	drain       requests in flight are awaited; when there was none for a second, or at the deadline, the rest is cut
//	leave       handlers that outlived the cut are awaited again, so that nothing they use is closed under them
//	close       the listener of a server that never came to serve
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/internal/wait"
)

// idleTime is how long no request may be in flight before connections are cut that http.Server.Shutdown would wait
// for: clients that connected and never sent a request hold it up for 5 s.
const idleTime = time.Second

// Add adds the parts of an HTTP server to g. It serves on lis once everything behind it has started, and g stops if
// serving fails. For TLS pass a listener of [crypto/tls.NewListener].
//
// Add wraps srv.Handler, so that must be set before. Connections that a handler has hijacked are not awaited. The group
// owns srv and lis from here on, even if it never starts.
func Add(g *lifecycle.Group, name string, srv *http.Server, lis net.Listener) error {
	if g == nil || srv == nil || lis == nil {
		return errors.New("httpserver: group, server and listener are required")
	}
	s := &server{
		g: g, name: name, srv: srv, lis: lis, calls: newCalls(),
		quiet: make(chan struct{}), served: make(chan struct{}),
	}
	if srv.Handler == nil {
		srv.Handler = http.DefaultServeMux
	}
	srv.Handler = s.calls.wrap(srv.Handler)
	for _, p := range []lifecycle.Part{
		{Name: name + "/close", Phase: lifecycle.Close, Stop: s.close},
		{Name: name + "/handlers", Phase: lifecycle.Leave, Stop: s.handlers, Remaining: s.calls.inFlight, Stuck: s.calls.names},
		{Name: name, Phase: lifecycle.Drain, Stop: s.drain, Kill: s.cut, Remaining: s.calls.inFlight, Stuck: s.calls.names},
		{Name: name + "/intake", Phase: lifecycle.IntakeOff, Start: s.serve, Stop: s.intakeOff},
	} {
		if err := g.Add(p); err != nil {
			return fmt.Errorf("httpserver: %w", err)
		}
	}
	return nil
}

type server struct {
	g     *lifecycle.Group
	name  string
	srv   *http.Server
	lis   net.Listener
	calls *calls

	serving  atomic.Bool
	served   chan struct{} // closed when Serve has returned
	quiet    chan struct{} // closed when Shutdown has returned: no connection is left
	shutdown sync.Once
	endQuiet context.CancelFunc // makes Shutdown return; set before quiet is waited for
}

func (s *server) serve(context.Context) error {
	s.serving.Store(true)
	go func() {
		defer close(s.served)
		if err := s.srv.Serve(s.lis); !errors.Is(err, http.ErrServerClosed) {
			s.g.Shutdown(fmt.Errorf("http server %q: %w", s.name, err))
		}
	}()
	return nil
}

// intakeOff begins Shutdown, which goes on until every connection is idle or cut.
func (s *server) intakeOff(ctx context.Context) error {
	s.shutdown.Do(func() {
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		s.endQuiet = cancel
		go func() {
			defer close(s.quiet)
			defer cancel()
			_ = s.srv.Shutdown(own) // an error of closing the listener, which is closed all the same
		}()
	})
	return nil
}

func (s *server) drain(ctx context.Context) error {
	if !s.serving.Load() {
		return nil
	}
	_ = s.intakeOff(ctx)
	var idleSince time.Time
	var before uint64
	err := wait.Until(ctx, s.quiet, func() bool {
		if wait.Closed(s.quiet) {
			return true
		}
		inFlight, begun := s.calls.count()
		if inFlight > 0 || begun != before || idleSince.IsZero() {
			before, idleSince = begun, time.Now()
		}
		return time.Since(idleSince) >= idleTime
	})
	s.cut()
	s.endQuiet()
	<-s.quiet
	<-s.served
	// Past the deadline, too: handlers have until the part is abandoned to notice the cut.
	_ = wait.Until(context.WithoutCancel(ctx), nil, func() bool { return s.calls.inFlight() == 0 })
	return err
}

// cut closes all connections, which ends the contexts of their requests.
func (s *server) cut() { _ = s.srv.Close() }

// handlers waits for handlers that were cut but still run: what they use is closed in the next phase.
func (s *server) handlers(ctx context.Context) error {
	return wait.Until(ctx, nil, func() bool { return s.calls.inFlight() == 0 })
}

// close closes the listener of a server that never came to serve.
func (s *server) close(context.Context) error {
	s.cut()
	_ = s.lis.Close() // closed already, as a rule
	return nil
}
