package watcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

var (
	errGeneration = errors.New("watcher: the server is of another generation of the feed")
	errClock      = errors.New("watcher: the wall clock was set back")
	errResync     = errors.New("watcher: the stream began before the position was given up")
	errSilent     = errors.New("watcher: the server is silent")
	errNoLease    = errors.New("watcher: the server grants no lease")
	errMoved      = errors.New("watcher: the server is about to stop")
	errProtocol   = errors.New("watcher: protocol violated by the server")
)

// session is one stream. A watcher has one, and two while it moves.
type session struct {
	w      *Watcher
	cancel context.CancelCauseFunc
	wake   chan struct{} // holds at most one signal: the position rose

	held chan struct{} // closed with the first lease
	move chan struct{} // holds at most one signal: another server is better
	done chan struct{} // closed at the end
	err  error         // why it ended; after done

	nonce  uint64
	sent   map[uint64]leaseclock.Instant // by nonce, of unanswered renewals
	heard  time.Duration                 // when the server last answered, boot clock; before it is asked, said something
	zeros  int                           // answers without a lease in a row
	joined bool                          // the snapshot is complete

	resyncs uint64 // of the watcher at Hello, under its mu
}

// maxUnanswered bounds the nonces that are remembered; an older grant than
// that is of no use.
const maxUnanswered = 16

func (w *Watcher) open(ctx context.Context) *session {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &session{
		w: w, cancel: cancel, wake: make(chan struct{}, 1),
		held: make(chan struct{}), move: make(chan struct{}, 1), done: make(chan struct{}),
		sent: make(map[uint64]leaseclock.Instant),
	}
	w.mu.Lock()
	w.sessions[s] = struct{}{}
	w.mu.Unlock()
	go func() {
		defer close(s.done)
		s.err = s.run(ctx)
		cancel(s.err)
		w.mu.Lock()
		delete(w.sessions, s)
		w.mu.Unlock()
	}()
	return s
}

// run opens the stream, says Hello and follows it until it ends.
func (s *session) run(ctx context.Context) error {
	w := s.w
	s.heard = w.clock.Now().Boot
	// A server that takes the call and then says nothing.
	handshake := time.AfterFunc(2*w.cfg.TTL, func() { s.cancel(errSilent) })
	defer handshake.Stop()
	stream, err := w.cfg.Dial(ctx)
	if err != nil {
		return err
	}
	in, out, stop := pump(ctx, stream)
	defer stop()
	w.mu.Lock()
	s.resyncs = w.resyncs
	hello := message.Hello{ReplicaID: w.cfg.Replica, Incarnation: w.cfg.Incarnation, LastSeq: w.applied, Generation: w.generation}
	w.mu.Unlock()
	select {
	case out <- hello:
	case r := <-in:
		return r.failure()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return s.exchange(ctx, handshake, in, out)
}

// exchange renews the lease and receives what the server says, until the stream
// ends. The first message stops handshake.
func (s *session) exchange(ctx context.Context, handshake *time.Timer, in <-chan received, out chan<- message.Request) error {
	w := s.w
	tick := time.NewTicker(w.cfg.TTL / 3)
	defer tick.Stop()
	due := false
	for {
		var renew message.Request
		var to chan<- message.Request
		now := w.clock.Now()
		if due && s.joined {
			renew, to = s.renewal(), out
		}
		select {
		case to <- renew:
			// now was read before the handing over: the lease counts from the
			// sending and never from the arrival of anything.
			s.remember(now)
			due = false
		case r := <-in:
			if r.err != nil {
				return r.failure()
			}
			handshake.Stop()
			if _, answers := r.message.(message.Grant); answers || !s.joined {
				s.heard = w.clock.Now().Boot
			}
			if err := s.receive(r.message); err != nil {
				return err
			}
		case <-s.wake: // by the snapshot too: the first renewal is sent at once
			due = true
		case <-tick.C:
			switch silent := w.clock.Now().Boot - s.heard; {
			case silent > w.cfg.TTL:
				return errSilent
			case silent > w.cfg.TTL/2:
				signal(s.move) // while there is time to get a lease elsewhere
			}
			due = true
			w.forget()
		case <-w.leaving:
			return s.leave(ctx, in, out)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// renewal makes the next request for a lease, with the position that is
// applied by now.
func (s *session) renewal() message.Renew {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return message.Renew{Nonce: s.nonce + 1, AppliedSeq: s.w.applied, Generation: s.w.generation}
}

func (s *session) remember(at leaseclock.Instant) {
	s.nonce++
	s.sent[s.nonce] = at
	delete(s.sent, s.nonce-maxUnanswered)
}

// receive takes one message of the server.
func (s *session) receive(m message.Response) error {
	switch m := m.(type) {
	case message.Snapshot:
		if s.joined {
			return fmt.Errorf("%w: second snapshot", errProtocol)
		}
		if err := s.w.snapshot(s, m); err != nil {
			return err
		}
		s.joined = !m.More
		return nil
	case message.Events:
		if !s.joined {
			return fmt.Errorf("%w: events before the snapshot", errProtocol)
		}
		return s.w.events(s, m)
	case message.Grant:
		return s.granted(m)
	case message.Move:
		return s.moved()
	default:
		return fmt.Errorf("%w: unexpected %T", errProtocol, m)
	}
}

// granted counts a grant for the nonce that it names and for no other.
func (s *session) granted(g message.Grant) error {
	sent, ok := s.sent[g.Nonce]
	if !ok {
		return nil
	}
	for nonce := range s.sent {
		if nonce <= g.Nonce {
			delete(s.sent, nonce)
		}
	}
	if g.TTL <= 0 {
		if s.zeros++; s.zeros < 2 {
			return nil
		}
		select {
		case <-s.held: // it may grant again; meanwhile another one may
			signal(s.move)
			return nil
		default:
			return errNoLease
		}
	}
	s.zeros = 0
	if err := s.w.grant(s, sent, g); err != nil {
		return err
	}
	select {
	case <-s.held:
	default:
		close(s.held)
	}
	return nil
}

// moved begins a move. A server that says so before its first lease is no
// server to move to.
func (s *session) moved() error {
	select {
	case <-s.held:
		signal(s.move)
		return nil
	default:
	}
	s.w.mu.Lock()
	others := len(s.w.sessions) > 1
	s.w.mu.Unlock()
	if others {
		return errMoved
	}
	// The only one there is: better its lease than none.
	signal(s.move)
	return nil
}

// leave sends Leave and waits until the server has ended the stream, which
// tells that it was read.
func (s *session) leave(ctx context.Context, in <-chan received, out chan<- message.Request) error {
	limit := time.NewTimer(s.w.cfg.TTL)
	defer limit.Stop()
	for {
		select {
		case out <- message.Leave{}:
			out = nil
		case r := <-in:
			if r.err != nil {
				return nil
			}
		case <-limit.C:
			return errSilent
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
