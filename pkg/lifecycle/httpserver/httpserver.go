// Package httpserver stops a net/http server as parts of a lifecycle.Group: new requests are refused in phase
// lifecycle.IntakeOff, those in flight are awaited in lifecycle.Drain, and cut at its deadline.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Add adds the parts of an HTTP server to g. It serves on lis once everything behind it has started, and g stops if
// serving fails. A connection that was hijacked, or that never sends a whole request, is cut at the deadline of Drain.
//
// In flight means handlers that run: Add wraps srv.Handler to count them, so srv must be configured before. The group
// owns srv and lis from here on, even if it never starts.
func Add(g *lifecycle.Group, name string, srv *http.Server, lis net.Listener) error {
	if g == nil || srv == nil || lis == nil {
		return errors.New("httpserver: group, server and listener are required")
	}
	s := &server{g: g, name: name, srv: srv, lis: lis, calls: make(map[*http.Request]time.Time)}
	s.wrap()
	for _, p := range []lifecycle.Part{
		{Name: name + "/close", Phase: lifecycle.Close, Stop: s.close},
		{Name: name, Phase: lifecycle.Drain, Stop: s.drain, Kill: s.kill, Remaining: s.inFlight, Stuck: s.stuck},
		{Name: name + "/intake", Phase: lifecycle.IntakeOff, Start: s.serve, Stop: s.intakeOff},
	} {
		if err := g.Add(p); err != nil {
			return fmt.Errorf("httpserver: %w", err)
		}
	}
	return nil
}

type server struct {
	g    *lifecycle.Group
	name string
	srv  *http.Server
	lis  net.Listener

	mu       sync.Mutex
	calls    map[*http.Request]time.Time
	idle     chan struct{} // not nil: somebody waits until there is no call; closed then
	shutdown chan struct{} // closed when Shutdown has returned
}

// wrap makes every handler count. http.Server.Shutdown returns when connections are idle, and after Close nobody waits
// for handlers at all, but what they use is closed next.
func (s *server) wrap() {
	next := s.srv.Handler
	if next == nil {
		next = http.DefaultServeMux
	}
	s.srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls[r] = time.Now()
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.calls, r)
			if len(s.calls) == 0 && s.idle != nil {
				close(s.idle)
				s.idle = nil
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func (s *server) serve(context.Context) error {
	go func() {
		if err := s.srv.Serve(s.lis); !errors.Is(err, http.ErrServerClosed) {
			s.g.Shutdown(fmt.Errorf("http server %q: %w", s.name, err))
		}
	}()
	return nil
}

// intakeOff closes the listener and the idle connections. Shutdown goes on in its own goroutine, until kill at the latest.
func (s *server) intakeOff(ctx context.Context) error {
	done := make(chan struct{})
	s.mu.Lock()
	s.shutdown = done
	s.mu.Unlock()
	s.srv.SetKeepAlivesEnabled(false)
	go func() {
		defer close(done)
		_ = s.srv.Shutdown(context.WithoutCancel(ctx)) // ends by itself or by Close
	}()
	return nil
}

func (s *server) drain(ctx context.Context) error {
	s.mu.Lock()
	shutdown := s.shutdown
	s.mu.Unlock()
	if shutdown != nil {
		select {
		case <-shutdown:
		case <-ctx.Done():
			// Give handlers that obey their context the time until the part is abandoned.
			s.kill()
		}
	}
	<-s.whenIdle()
	return context.Cause(ctx)
}

// kill cuts all connections, which ends the contexts of their requests, but not Shutdown itself.
func (s *server) kill() { _ = s.srv.Close() }

// close is for a group that never came to serve: nobody else closes the listener then.
func (s *server) close(context.Context) error {
	s.kill()
	_ = s.lis.Close()
	return nil
}

func (s *server) whenIdle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle != nil {
		return s.idle
	}
	idle := make(chan struct{})
	if len(s.calls) == 0 {
		close(idle)
	} else {
		s.idle = idle
	}
	return idle
}

func (s *server) inFlight() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.calls))
}

func (s *server) stuck() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for r, since := range s.calls {
		list = append(list, fmt.Sprintf("%s %.80s from %s for %v", r.Method, r.URL.Path, r.RemoteAddr, time.Since(since).Round(time.Millisecond)))
	}
	slices.Sort(list)
	return list
}
