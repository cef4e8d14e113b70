package faults_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/faults"
	"github.com/curfew-platform/curfew/e2e/faults/replica"
)

// seen is what calls of one method came to since an outage began.
type seen struct {
	mu      sync.Mutex
	last    time.Duration // since the outage: when the last one was sent that was admitted
	refused time.Duration // when the first answer came that refused one after that; 0 if none
	wrong   map[string]int
}

// watch calls a method of a replica again and again until ctx ends.
func (s *seen) watch(ctx context.Context, start time.Time, token *faults.Life, server *faults.Server, method string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		call, cancel := context.WithTimeout(token.Context(context.WithoutCancel(ctx)), calm)
		sent := time.Since(start)
		err := faults.Call(call, server, method)
		cancel()
		s.note(sent, time.Since(start), err)
		<-tick.C
	}
}

func (s *seen) note(sent, answered time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.last, s.refused = sent, 0
	case status.Code(err) == codes.Unavailable && retries(err):
		if s.refused == 0 {
			s.refused = answered
		}
	default: // nobody may be logged out
		s.wrong[err.Error()]++
	}
}

var errGoesOn = errors.New("goes on")

// over returns nil if the last call was refused.
func (s *seen) over() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == 0 {
		return errGoesOn
	}
	return nil
}

// retries says whether an error tells when to come again.
func retries(err error) bool {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration() > 0
		}
	}
	return false
}

// outage is a way in which a replica loses the feed, and for how long the lease
// that it has then still runs.
type outage struct {
	begin             func(t *testing.T, s *scene)
	end               func(t *testing.T, s *scene)
	shortest, longest time.Duration // until the lease is over: at least, at most
	logins            bool          // services/auth is reached and cannot answer
}

// The lease that a replica has when its server goes: it asks for the next one
// when a third is over.
const (
	leaseLeft  = ttl * 2 / 3 * 99 / 100
	renewEvery = rowLease / 6
)

// TestCallsGoOnInAnOutage: with the database, services/auth or the network gone,
// calls with a valid token go on as each method says, and then tell when to come
// again. Nobody is logged out, and all ends by itself.
func TestCallsGoOnInAnOutageAsTheirMethodsSayAndNobodyIsLoggedOut(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]outage{
		"the database is gone": {
			begin: func(t *testing.T, s *scene) {
				if err := s.installation.StopDatabase(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
			end: func(t *testing.T, s *scene) {
				if err := s.installation.RestartDatabase(t.Context(), true); err != nil {
					t.Fatal(err)
				}
			},
			// The servers grant on under what is left of their own leases.
			shortest: rowLease*99/100 - renewEvery - ttl, longest: rowLease, logins: true,
		},
		"services/auth is gone": {
			begin: func(_ *testing.T, s *scene) {
				for _, auth := range s.installation.Auths {
					auth.Kill()
				}
			},
			end: func(t *testing.T, s *scene) {
				for _, auth := range s.installation.Auths {
					if err := auth.Start(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			},
			shortest: leaseLeft, longest: ttl,
		},
		"services/auth stands still": {
			begin: func(t *testing.T, s *scene) {
				for _, auth := range s.installation.Auths {
					if err := auth.Pause(); err != nil {
						t.Fatal(err)
					}
				}
			},
			end: func(t *testing.T, s *scene) {
				for _, auth := range s.installation.Auths {
					if err := auth.Continue(); err != nil {
						t.Fatal(err)
					}
				}
			},
			shortest: leaseLeft, longest: ttl,
		},
		"the network is gone": {
			begin:    func(_ *testing.T, s *scene) { s.installation.Sever(s.n) },
			end:      func(_ *testing.T, s *scene) { s.installation.Join(s.n) },
			shortest: leaseLeft, longest: ttl,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.run(t)
		})
	}
}

func (o outage) run(t *testing.T) {
	s := newScene(t, 5)
	// Every method has let the token in, so that its key is known.
	methods := map[string]*seen{replica.Look: {}, replica.LookStale: {}, replica.LookAsking: {}}
	for method, m := range methods {
		m.wrong = map[string]int{}
		if err := faults.Call(s.token.Context(t.Context()), s.replica, method); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := s.stopwatch()
	start := watch.start
	o.begin(t, s)
	gone := time.Since(start) // it took so long to be gone
	var running sync.WaitGroup
	for method, m := range methods {
		running.Go(func() { m.watch(ctx, start, s.token, s.replica, method) })
	}
	lasts := time.NewTimer(o.longest + replica.MaxStale)
	defer lasts.Stop()
	if o.logins {
		if code := status.Code(s.token.Refresh(t.Context(), s.elsewhere())); code != codes.Unavailable {
			t.Errorf("a refresh in the outage: %v", code)
		}
	}
	<-lasts.C
	slack := watch.slack()
	ends, enough := context.WithTimeout(t.Context(), calm)
	defer enough()
	for method, m := range methods {
		if err := until(ends, m.over, succeeded); err != nil {
			t.Errorf("%s %v", method, err)
		}
	}
	cancel()
	running.Wait()
	o.end(t, s)

	for method, m := range methods {
		for err, n := range m.wrong {
			t.Errorf("%s: %d times %s", method, n, err)
		}
	}
	closed, stale, asking := methods[replica.Look], methods[replica.LookStale], methods[replica.LookAsking]
	t.Logf("gone after %v; fail closed until %v, stale until %v, asking until %v", gone, closed.last, stale.last, asking.last)
	if closed.last < o.shortest-slack || closed.last > gone+o.longest {
		t.Errorf("fail closed until %v, want %v - %v to %v", closed.last, o.shortest, slack, gone+o.longest)
	}
	// The lease was over between the last call that was admitted and the first
	// that was refused, however slow this machine is.
	if stale.last > closed.refused+replica.MaxStale || stale.refused < closed.last+replica.MaxStale {
		t.Errorf("stale until %v to %v, and the lease was over at %v to %v, want %v more", stale.last, stale.refused, closed.last, closed.refused, replica.MaxStale)
	}
	// Whom it asks is gone too: it goes on for as long as the lease.
	if asking.last > closed.refused || asking.refused < closed.last {
		t.Errorf("asking until %v to %v, and the lease was over at %v to %v", asking.last, asking.refused, closed.last, closed.refused)
	}
	back, end := context.WithTimeout(t.Context(), calm)
	defer end()
	if err := s.token.AwaitRefresh(back); err != nil {
		t.Error(fmt.Errorf("after the outage: %w", err))
	}
	recovers(t, s.installation, s.clients)
}
