package feed_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

func TestAWatcherThatJoinsDuringARevokeGetsTheRule(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		r.store.Revoke(subjectRule("before"))
		synctest.Wait()
		c := e.hello("orders", "a", 0)
		synctest.Wait() // registered; the snapshot waits for its reader
		seq := r.store.Revoke(subjectRule("during"))
		synctest.Wait()
		got := map[string]bool{}
		c.generation = "1"
		defer time.AfterFunc(time.Minute, c.Close).Stop()
		for len(got) < 2 {
			m, err := c.Recv()
			if err != nil {
				t.Fatal(err)
			}
			var rules []revocation.Rule
			switch m := m.(type) {
			case message.Snapshot:
				rules = m.Rules
			case message.Events:
				rules = m.Rules
			}
			for _, rule := range rules {
				got[rule.ID] = true
			}
		}
		if c.renew(seq) != ttl {
			t.Error("no lease after everything was acknowledged")
		}
	})
}

func TestAGrantTravelsBehindTheEventsThatWereKnownBeforeIt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		r.store.Revoke(subjectRule("first"))
		synctest.Wait() // its event waits for the reader, and everything later behind it
		seq := r.store.Revoke(subjectRule("second"))
		synctest.Wait()
		c.ask(0)
		synctest.Wait()
		if c.granted() <= 0 {
			t.Fatal("no lease")
		}
		if c.applied < seq {
			t.Error("the grant overtook the event")
		}
	})
}

// hookedStream lets a test look at the engine in the moment of a send.
type hookedStream struct {
	message.ServerStream
	onSend func(message.Response)
}

func (s hookedStream) Send(m message.Response) error {
	s.onSend(m)
	return s.ServerStream.Send(m)
}

func TestTheDeadlineIsRecordedBeforeTheGrantIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		near, far := message.Pipe(r.ctx)
		grants := 0
		r.wg.Go(func() {
			_ = e.Serve(r.ctx, "services/orders", hookedStream{far, func(m message.Response) {
				g, ok := m.(message.Grant)
				if !ok {
					return
				}
				grants++
				w := e.Watchers()
				if len(w) != 1 || w[0].LeaseUntil.Before(e.clock.Now().Time().Add(g.TTL)) {
					t.Errorf("a lease of %s is written while the engine counts %+v", g.TTL, w)
				}
			}})
			near.Close()
		})
		c := &client{ClientStream: near, t: t, generation: "1"}
		if err := c.Send(message.Hello{ReplicaID: "orders", Incarnation: "a"}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(time.Second)
			c.renew(0)
		}
		if grants != 3 {
			t.Errorf("%d grants", grants)
		}
	})
}

func TestTheServerCountsALeaseWithTheDriftAdded(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		got := e.join("orders", "a", 0).renew(0)
		if got != ttl {
			t.Fatalf("granted %s", got)
		}
		if until := e.Watchers()[0].LeaseUntil.Sub(e.clock.Now().Time()); until != lengthened(got) {
			t.Errorf("a lease of %s counts for %s, want %s", got, until, lengthened(got))
		}
	})
}

func TestASlowConsumerLosesTheStreamAndNoEvent(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		const revocations = 50
		for range revocations {
			r.store.Revoke(subjectRule("user"))
			time.Sleep(100 * time.Millisecond)
		}
		// It takes nothing for two leases: the stream ends.
		time.Sleep(2 * ttl)
		if err := c.Send(message.Renew{Nonce: 99}); err == nil {
			t.Fatal("the stream of a watcher that takes nothing is still open")
		}
		// It comes back where it was and misses nothing.
		again := e.hello("orders", "a", 0)
		m, err := again.Recv()
		if err != nil {
			t.Fatal(err)
		}
		s := m.(message.Snapshot)
		if s.HeadSeq != revocations || len(s.Rules) != revocations {
			t.Errorf("snapshot up to %d with %d rules", s.HeadSeq, len(s.Rules))
		}
	})
}

func TestWhatWaitsForASlowReaderIsMergedAndNeverSkipped(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		const revocations = 20
		for range revocations {
			r.store.Revoke(subjectRule("user"))
			synctest.Wait()
		}
		c.renew(0)
		next := int64(1)
		for _, ev := range c.events {
			for _, rule := range ev.Rules {
				if rule.Seq != next {
					t.Fatalf("rule %d where %d is next", rule.Seq, next)
				}
				next++
			}
		}
		if next != revocations+1 || len(c.events) > 2 {
			t.Errorf("%d rules in %d messages", next-1, len(c.events))
		}
	})
}

func TestALongSnapshotComesInPartsThatNeverCutAPosition(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		rules := make([]revocation.Rule, 3000)
		for i := range rules {
			rules[i] = subjectRule(time.Duration(i).String())
		}
		for range 4 {
			r.store.Revoke(rules...)
		}
		time.Sleep(time.Second)
		c := e.hello("orders", "a", 0)
		total := 0
		for n := 0; ; n++ {
			m, err := c.Recv()
			if err != nil {
				t.Fatal(err)
			}
			s := m.(message.Snapshot)
			total += len(s.Rules)
			if len(s.Rules)%3000 != 0 {
				t.Errorf("part %d has %d rules", n, len(s.Rules))
			}
			if !s.More {
				break
			}
		}
		if total != 12000 {
			t.Errorf("%d rules", total)
		}
	})
}

func TestAResumedStreamGetsOnlyWhatIsNew(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		for range 3 {
			r.store.Revoke(subjectRule("user"))
		}
		time.Sleep(time.Second)
		for last, want := range map[int64]int{0: 3, 2: 1, 3: 0, 7: 0} {
			c := e.hello("orders", "a", last)
			m, err := c.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if s := m.(message.Snapshot); len(s.Rules) != want || s.HeadSeq != 3 {
				t.Errorf("resumed at %d: %d rules up to %d, want %d", last, len(s.Rules), s.HeadSeq, want)
			}
		}
	})
}

func TestWhatAWatcherMustNotSendEndsItsStream(t *testing.T) {
	long := string(make([]byte, 300))
	for name, first := range map[string]message.Request{
		"a renewal first":          message.Renew{Nonce: 1},
		"no replica id":            message.Hello{Incarnation: "a"},
		"no incarnation":           message.Hello{ReplicaID: "orders"},
		"a replica id too long":    message.Hello{ReplicaID: long, Incarnation: "a"},
		"a NUL in a name":          message.Hello{ReplicaID: "or\x00ders", Incarnation: "a"},
		"a negative last position": message.Hello{ReplicaID: "orders", Incarnation: "a", LastSeq: -1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				e := r.engine("auth")
				ctx, cancel := context.WithCancel(r.ctx)
				defer cancel()
				near, far := message.Pipe(ctx)
				r.wg.Go(func() { _ = near.Send(first) })
				if err := e.Serve(ctx, "p", far); !errors.Is(err, feed.ErrProtocol) {
					t.Errorf("error is %v", err)
				}
			})
		})
	}
	t.Run("no Hello", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			e := r.engine("auth")
			ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
			defer cancel()
			_, far := message.Pipe(ctx)
			if err := e.Serve(ctx, "p", far); !errors.Is(err, feed.ErrProtocol) {
				t.Errorf("error is %v", err)
			}
		})
	})
	for name, second := range map[string]message.Request{
		"a second Hello":      message.Hello{ReplicaID: "orders", Incarnation: "a"},
		"a negative position": message.Renew{Nonce: 1, AppliedSeq: -1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				c := r.engine("auth").join("orders", "a", 0)
				if err := c.Send(second); err != nil {
					t.Fatal(err)
				}
				c.drain()
			})
		})
	}
}
