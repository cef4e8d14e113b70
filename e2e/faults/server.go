package faults

import (
	"context"
	"fmt"
	"net/url"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/curfew-platform/curfew/e2e/stand"
)

// startLimit is for a start with everything that keeps it from starting.
const startLimit = time.Minute

// stopLimit is the grace of a clean stop.
const stopLimit = 30 * time.Second

// server adds a server that is not started yet.
func (i *Installation) server(ctx context.Context, name string, launch func(context.Context) (*stand.Process, error)) (*Server, error) {
	front, err := i.proxy(ctx, "")
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(front.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: time.Second,
		}))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Server{Name: name, Conn: conn, launch: launch, front: front}, nil
}

// Start starts the next process of the server, as often as it takes: the
// database may be away.
func (s *Server) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	p, err := s.launch(ctx)
	for err != nil && ctx.Err() == nil {
		pause(ctx, 100*time.Millisecond)
		p, err = s.launch(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
	s.processes++
	for _, f := range append(s.followers, s.front) {
		f.Point(p.GRPC)
	}
	return nil
}

// follow points a link to wherever the server's process is.
func (s *Server) follow(p *Proxy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followers = append(s.followers, p)
}

// Process names the process that clients reach now.
func (s *Server) Process() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s#%d", s.Name, s.processes)
}

func (s *Server) current() *stand.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// AwaitReady waits until the server may get traffic.
func (s *Server) AwaitReady(ctx context.Context) error {
	p := s.current()
	if err := p.AwaitReady(ctx); err != nil {
		return fmt.Errorf("%s: %w\n%s", s.Name, err, p.Stderr())
	}
	return nil
}

// noteFault counts what is done to the server.
func (s *Server) noteFault() { s.disturbed.Add(1) }

// faultCount is odd while something is done to the server.
func (s *Server) faultCount() int64 { return s.disturbed.Load() }

// Pause and Continue are SIGSTOP and SIGCONT.
func (s *Server) Pause() error { return s.current().Signal(syscall.SIGSTOP) }

// Continue undoes Pause.
func (s *Server) Continue() error { return s.current().Signal(syscall.SIGCONT) }

// Kill is SIGKILL.
func (s *Server) Kill() {
	if p := s.current(); p != nil {
		p.Kill()
	}
}

// Stop is SIGTERM, and waits for the end.
func (s *Server) Stop() error {
	p := s.current()
	_, killed, err := p.Stop(stopLimit)
	if err == nil && killed {
		err = fmt.Errorf("%s did not stop within %v\n%s", s.Name, stopLimit, p.Stderr())
	}
	return err
}

// via returns the URL with the address of a link instead of the database's. A
// crash of the database may take back nothing that was answered.
func via(databaseURL string, link *Proxy) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", fmt.Errorf("address of the database: %w", err)
	}
	u.Host = link.Addr()
	q := u.Query()
	q.Set("synchronous_commit", "on")
	u.RawQuery = q.Encode()
	return u.String(), nil
}
