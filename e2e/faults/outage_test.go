package faults_test

import (
	"context"
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
	mu    sync.Mutex
	last  time.Duration // since the outage: when the last one was sent that was admitted
	first time.Duration // when the first one was sent that was not; 0 if none
	wrong map[string]int
}

// watch calls a method of a replica again and again until ctx ends.
func (s *seen) watch(ctx context.Context, start time.Time, token *faults.Life, server *faults.Server, method string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		call, cancel := context.WithTimeout(token.Context(context.WithoutCancel(ctx)), calm)
		at := time.Since(start)
		err := faults.Call(call, server, method)
		cancel()
		s.note(at, err)
		<-tick.C
	}
}

func (s *seen) note(at time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.last = at
	case status.Code(err) == codes.Unavailable && retries(err):
		if s.first == 0 {
			s.first = at
		}
	default: // nobody may be logged out
		s.wrong[err.Error()]++
	}
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
	begin           func(t *testing.T, s *scene)
	end             func(t *testing.T, s *scene)
	shortest, least time.Duration // until the lease is over: at least, at most
	logins          bool          // services/auth is reached and cannot answer
}

// The lease that a replica has when its server goes: it asks for the next one
// when a third is over.
const (
	leaseLeft  = ttl*2/3*99/100 - busy
	renewEvery = rowLease / 6
)

// TestCallsGoOnInAnOutage: with the database, services/auth or the network gone,
// calls with a valid token go on as each method says, and then tell when to come
// again. Nobody is logged out, and all ends by itself.
func TestCallsGoOnInAnOutageAsTheirMethodsSayAndNobodyIsLoggedOut(t *testing.T) {
	for name, o := range map[string]outage{
		"the database is gone": {
			begin: func(t *testing.T, _ *scene) {
				if err := installation.StopDatabase(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
			end: func(t *testing.T, _ *scene) {
				if err := installation.RestartDatabase(t.Context(), true); err != nil {
					t.Fatal(err)
				}
			},
			// The servers grant on under what is left of their own leases.
			shortest: rowLease*99/100 - renewEvery - ttl - busy, least: rowLease, logins: true,
		},
		"services/auth is gone": {
			begin: func(*testing.T, *scene) {
				for _, s := range installation.Auths {
					s.Kill()
				}
			},
			end: func(t *testing.T, _ *scene) {
				for _, s := range installation.Auths {
					if err := s.Start(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			},
			shortest: leaseLeft, least: ttl,
		},
		"services/auth stands still": {
			begin: func(t *testing.T, _ *scene) {
				for _, s := range installation.Auths {
					if err := s.Pause(); err != nil {
						t.Fatal(err)
					}
				}
			},
			end: func(t *testing.T, _ *scene) {
				for _, s := range installation.Auths {
					if err := s.Continue(); err != nil {
						t.Fatal(err)
					}
				}
			},
			shortest: leaseLeft, least: ttl,
		},
		"the network is gone": {
			begin:    func(_ *testing.T, s *scene) { installation.Sever(s.n) },
			end:      func(_ *testing.T, s *scene) { installation.Join(s.n) },
			shortest: leaseLeft, least: ttl,
		},
	} {
		t.Run(name, func(t *testing.T) { o.run(t) })
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
	start := time.Now()
	o.begin(t, s)
	gone := time.Since(start) // it took so long to be gone
	var running sync.WaitGroup
	for method, m := range methods {
		running.Go(func() { m.watch(ctx, start, s.token, s.replica, method) })
	}
	lasts := time.NewTimer(o.least + replica.MaxStale + busy - time.Since(start))
	defer lasts.Stop()
	if o.logins {
		if code := status.Code(s.token.Refresh(t.Context(), s.elsewhere())); code != codes.Unavailable {
			t.Errorf("a refresh in the outage: %v", code)
		}
	}
	<-lasts.C
	cancel()
	running.Wait()
	o.end(t, s)

	for method, m := range methods {
		for err, n := range m.wrong {
			t.Errorf("%s: %d times %s", method, n, err)
		}
		if m.first == 0 {
			t.Errorf("%s went on to the end", method)
		}
	}
	closed, stale, asking := methods[replica.Look], methods[replica.LookStale], methods[replica.LookAsking]
	t.Logf("gone after %v; fail closed until %v, stale until %v, asking until %v", gone, closed.last, stale.last, asking.last)
	if closed.last < o.shortest || closed.last > gone+o.least {
		t.Errorf("fail closed until %v, want %v to %v", closed.last, o.shortest, gone+o.least)
	}
	if d := stale.last - closed.last; d > replica.MaxStale+busy || d < replica.MaxStale-busy {
		t.Errorf("stale for %v longer, want %v", d, replica.MaxStale)
	}
	// Whom it asks is gone too: it goes on for as long as the lease.
	if d := asking.last - closed.last; d > busy || d < -busy {
		t.Errorf("asking for %v longer", d)
	}
	back, end := context.WithTimeout(t.Context(), calm)
	defer end()
	if err := s.token.AwaitRefresh(back); err != nil {
		t.Error(fmt.Errorf("after the outage: %w", err))
	}
	recovers(t, s.clients)
}
