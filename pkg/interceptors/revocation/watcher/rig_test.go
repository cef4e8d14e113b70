package watcher_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock/leaseclocktest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
)

const (
	issuer = "https://auth.curfew.dev"
	ttl    = watcher.DefaultTTL
)

var held = leaseclock.Shorten(ttl, watcher.DefaultDrift)

var user = &identity.Identity{Issuer: issuer, Subject: "user", SessionID: "sid", TokenID: "jti", Epoch: 1}

func rule(id string) revocation.Rule {
	return revocation.Rule{Kind: revocation.KindSubjectEpoch, Issuer: issuer, ID: id, Epoch: 2, KeepUntil: time.Now().Add(time.Hour)}
}

// rig is a watcher whose servers are driven by hand.
type rig struct {
	*watcher.Watcher
	t     *testing.T
	ctx   context.Context
	clock *leaseclocktest.Clock
	wg    sync.WaitGroup
	stop  context.CancelFunc

	dialed chan *server
	refuse atomic.Bool // no server is there
}

// server is the far end of one stream.
type server struct {
	message.ServerStream
	t     *testing.T
	hello message.Hello
	close func()
}

func bubble(t *testing.T, test func(t *testing.T, r *rig), options ...func(*watcher.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &rig{t: t, ctx: ctx, clock: leaseclocktest.New(0), stop: cancel, dialed: make(chan *server, 1000)}
		cfg := watcher.Config{
			Replica: "orders", Clock: r.clock, Logger: slog.New(slog.DiscardHandler),
			Dial: func(ctx context.Context) (message.ClientStream, error) {
				if r.refuse.Load() {
					return nil, errors.New("nobody there")
				}
				near, far := message.Pipe(ctx)
				r.dialed <- &server{ServerStream: far, t: t, close: near.Close}
				return near, nil
			},
		}
		for _, o := range options {
			o(&cfg)
		}
		w, err := watcher.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.Watcher = w
		r.wg.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		test(t, r)
		cancel()
		r.wg.Wait()
	})
}

// accept takes the next stream and its Hello.
func (r *rig) accept() *server {
	r.t.Helper()
	var s *server
	select {
	case s = <-r.dialed:
	case <-time.After(time.Minute):
		r.t.Fatal("no stream is opened")
	}
	m, err := s.Recv()
	if err != nil {
		r.t.Fatal(err)
	}
	h, ok := m.(message.Hello)
	if !ok {
		r.t.Fatalf("first message is %T", m)
	}
	s.hello = h
	return s
}

// join accepts a stream and sends a snapshot.
func (r *rig) join(head int64, rules ...revocation.Rule) *server {
	r.t.Helper()
	s := r.accept()
	s.send(message.Snapshot{Generation: "1", HeadSeq: head, Rules: rules})
	return s
}

func (s *server) send(m message.Response) {
	s.t.Helper()
	if err := s.Send(m); err != nil {
		s.t.Fatalf("sending %T: %v", m, err)
	}
	synctest.Wait()
}

// renewal takes the next Renew.
func (s *server) renewal() message.Renew {
	s.t.Helper()
	m, err := s.Recv()
	if err != nil {
		s.t.Fatal(err)
	}
	r, ok := m.(message.Renew)
	if !ok {
		s.t.Fatalf("%T instead of a renewal", m)
	}
	return r
}

// grant answers a renewal.
func (s *server) grant(r message.Renew, d time.Duration) {
	s.t.Helper()
	s.send(message.Grant{Nonce: r.Nonce, TTL: d, Generation: "1"})
}

// keep grants every renewal of a stream from now on.
func (r *rig) keep(s *server) {
	r.wg.Go(func() {
		for {
			m, err := s.Recv()
			if err != nil {
				return
			}
			if ask, ok := m.(message.Renew); ok && s.Send(message.Grant{Nonce: ask.Nonce, TTL: ttl, Generation: "1"}) != nil {
				return
			}
		}
	})
}

// fresh reports whether the watcher has a lease.
func (r *rig) fresh() bool { return r.Check(user).Fresh }

// lease returns what is left of the lease.
func (r *rig) lease() time.Duration { return r.Status().Lease }

// ended reports whether the stream is over by now: one that grants nothing ends
// in any case, some time later.
func (s *server) ended() bool {
	synctest.Wait()
	now := time.Now()
	for {
		if _, err := s.Recv(); err != nil {
			return time.Since(now) == 0
		}
	}
}
