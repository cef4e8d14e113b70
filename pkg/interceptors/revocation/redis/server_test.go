package redis_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/redis"
)

// do runs an administrator's command.
func (r *rig) do(args ...any) {
	r.t.Helper()
	if err := r.admin.Do(r.t.Context(), args...).Err(); err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
}

func (r *rig) signal(s syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(r.process.Pid(), s); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) follow(primary *rig) {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(primary.server.Address())
	primary.do("CONFIG", "SET", "repl-diskless-sync-delay", 0)
	r.do("REPLICAOF", "127.0.0.1", port)
	deadline := time.After(patience)
	for !strings.Contains(r.admin.Info(r.t.Context(), "replication").Val(), "master_link_status:up") {
		select {
		case <-deadline:
			r.t.Fatal("it does not follow")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// address leads to one server at a time; connections stay where they are.
type address struct {
	to    atomic.Pointer[string]
	dials atomic.Int64 // since it was moved
}

func (a *address) move(r *rig) {
	to := r.server.Address()
	a.to.Store(&to)
	a.dials.Store(0)
}

func (a *address) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, *a.to.Load())
	if err == nil {
		a.dials.Add(1)
	}
	return c, err
}

func fill(t *testing.T, s *redis.Source, rules ...revocation.Rule) {
	t.Helper()
	if err := s.Fill(t.Context(), these(rules...)); err != nil {
		t.Fatal(err)
	}
}

// The address moves to the replica that was promoted, while the old primary
// still answers those who are connected to it: its marker is its own.
func TestAServerThatWasReplacedIsNotBelievedNorWhenTheAddressReturns(t *testing.T) {
	a, b := newRig(t), newRig(t)
	b.follow(a)
	var where address
	where.move(a)
	s, err := a.open(func(c *redis.Config) { c.Options.Dialer = where.dial })
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	admit(t, s, nil)
	a.do("WAIT", 1, patience.Milliseconds())
	b.do("REPLICAOF", "NO", "ONE")
	where.move(b)
	// Calls that hang at the old one make the pool connect again.
	a.signal(syscall.SIGSTOP)
	defer a.signal(syscall.SIGCONT)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _ = s.Check(caller) })
	}
	deadline := time.After(patience)
	for where.dials.Load() == 0 || s.Revoke(t.Context(), session()) != nil {
		select {
		case <-deadline:
			t.Fatal("the new server takes nothing")
		case <-time.After(time.Millisecond):
		}
	}
	a.signal(syscall.SIGCONT)
	a.do("PING")
	for range 500 {
		if s.Check(caller).Admit(time.Hour) == nil {
			t.Fatal("the old server is believed")
		}
	}
	wg.Wait()
	becomes(t, s, revocation.ErrRevoked)

	where.move(a)
	b.stop()
	becomes(t, s, revocation.ErrStale)
	deadline = time.After(patience)
	for where.dials.Load() == 0 {
		select {
		case <-deadline:
			t.Fatal("not connected again")
		default:
		}
		admit(t, s, revocation.ErrStale)
	}
	for range 50 {
		admit(t, s, revocation.ErrStale)
	}
	fill(t, s, session())
	becomes(t, s, revocation.ErrRevoked)
	other := *caller
	other.SessionID = "another"
	if err := s.Check(&other).Admit(0); err != nil {
		t.Errorf("filled again: %v", err)
	}
	b.start() // its cleanup stops it
}

func TestAServerThatWasDemotedAndPromotedAgainKnowsNothing(t *testing.T) {
	a, b := newRig(t), newRig(t)
	b.follow(a)
	s := a.source()
	admit(t, s, nil)
	b.do("REPLICAOF", "NO", "ONE")
	if err := s.Revoke(t.Context(), session()); err != nil {
		t.Fatal(err)
	}
	a.follow(b) // and forgets the rule
	if n := a.admin.Exists(t.Context(), "curfew:revocation:session:"+"23:"+caller.Issuer+":"+caller.SessionID).Val(); n != 0 {
		t.Fatal("the rule is kept, so this test shows nothing")
	}
	a.do("REPLICAOF", "NO", "ONE")
	for range 50 {
		if err := s.Check(caller).Admit(time.Hour); !errors.Is(err, revocation.ErrStale) {
			t.Fatalf("got %v", err)
		}
	}
	deadline := time.After(patience)
	for s.Fill(t.Context(), these(session())) != nil {
		select {
		case <-deadline:
			t.Fatal("cannot be filled")
		case <-time.After(time.Millisecond):
		}
	}
	becomes(t, s, revocation.ErrRevoked)
}

// Nobody looks while the setting is wrong.
func TestARuleThatWasEvictedBetweenTwoLooksIsMissed(t *testing.T) {
	r := newRig(t)
	s, err := r.open(func(c *redis.Config) { c.Recheck = time.Hour })
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	if err := s.Revoke(t.Context(), session()); err != nil {
		t.Fatal(err)
	}
	admit(t, s, revocation.ErrRevoked)
	r.do("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
	r.do("CONFIG", "SET", "maxmemory", "1")
	_ = r.admin.Set(t.Context(), "x", 1, 0) // refused, but all was evicted that could be
	r.do("CONFIG", "SET", "maxmemory", "0")
	r.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	if n := r.admin.Exists(t.Context(), "curfew:revocation:filled").Val(); n != 1 {
		t.Fatal("the marker is lost, so this test shows nothing")
	}
	admit(t, s, revocation.ErrStale)
	fill(t, s, session())
	admit(t, s, revocation.ErrRevoked)
}
