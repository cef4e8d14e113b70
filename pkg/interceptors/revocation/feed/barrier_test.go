package feed_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

type fixedClock struct{}

func (*fixedClock) Now() leaseclock.Instant { return leaseclock.Instant{Boot: 1, Wall: 1} }

func TestARevokeReturnsWhenEveryWatcherHasAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		a, b := e.join("orders", "a", 0), e.join("orders", "b", 0)
		a.renew(0)
		b.renew(0)
		done := e.await(r.store.Revoke(subjectRule("user")))
		a.renew(1)
		if returned(done) {
			t.Fatal("returned before the second watcher acknowledged")
		}
		b.renew(1)
		if !returned(done) {
			t.Fatal("not returned at the last acknowledgement")
		}
		if got := <-done; got != (feed.Receipt{Seq: 1, Acked: 2}) {
			t.Errorf("receipt is %+v", got)
		}
	})
}

func TestABarrierLooksAfterTheDispatch(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		e.hooks.set(func(s *hookedStore) { s.beforeRead = func(context.Context) error { return errors.New("no") } })
		done := e.await(r.store.Revoke(subjectRule("user")))
		time.Sleep(time.Second)
		if returned(done) {
			t.Error("returned before the engine knew the rule")
		}
	})
	// An engine without watchers passes what it has dispatched and no more: who
	// joins it next gets a lease without the rule.
	bubble(t, func(t *testing.T, r *rig) {
		e, other := r.engine("auth"), r.engine("other")
		time.Sleep(time.Second)
		other.hooks.set(func(s *hookedStore) { s.beforeRead = func(context.Context) error { return errors.New("no") } })
		done := e.await(r.store.Revoke(subjectRule("user")))
		time.Sleep(rowLease / 2) // the other one has renewed its row
		if returned(done) {
			t.Error("returned before the other engine knew the rule")
		}
	})
}

// TestABarrierThatCannotRead: what the engine knows may be of a lost history,
// in which the position was passed long ago.
func TestABarrierThatCannotReadTheFeedDoesNotTrustWhatItKnows(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		for range 5 {
			r.store.Revoke(subjectRule("user"))
		}
		time.Sleep(time.Second)
		e.hooks.set(func(s *hookedStore) { s.beforeRead = func(context.Context) error { return errors.New("no") } })
		r.store.Restore(2)
		done := e.await(r.store.Revoke(subjectRule("after the restore")))
		time.Sleep(time.Second)
		if returned(done) {
			t.Error("returned by what it knew before the commit")
		}
	})
}

func TestARegistrationOutlivesItsStreamUntilTheLeaseIsOver(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		c.Close()
		synctest.Wait()
		done := e.await(r.store.Revoke(subjectRule("user")))
		time.Sleep(ttl)
		if returned(done) {
			t.Fatal("returned while the lease of the broken stream runs")
		}
		time.Sleep(lengthened(ttl) - ttl + 5*time.Millisecond)
		if !returned(done) {
			t.Fatal("not returned when that lease is over")
		}
		if got := <-done; got.Expired != 1 || got.Acked != 0 {
			t.Errorf("receipt is %+v", got)
		}
		if w := e.Watchers(); len(w) != 0 {
			t.Errorf("the registration is still there: %+v", w)
		}
	})
}

func TestAcknowledgementsCountPerIncarnationOnAnyStreamAndNeverForAnother(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		first := e.join("orders", "a", 0)
		first.renew(0)
		first.Close()
		other := e.join("orders", "b", 0) // another process under the same id
		other.renew(0)
		done := e.await(r.store.Revoke(subjectRule("user")))
		other.renew(1)
		if returned(done) {
			t.Fatal("the acknowledgement of another process counted")
		}
		again := e.join("orders", "a", 0)
		again.renew(1)
		if !returned(done) {
			t.Error("the acknowledgement on the second stream of the process did not count")
		}
	})
}

// One of its streams ended before it had a lease, and is forgotten at once.
func TestAProcessIsKnownAsLongAsOneOfItsStreamsCounts(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		first := e.join("orders", "a", 0)
		first.renew(0)
		e.join("orders", "a", 0).Close()
		synctest.Wait()
		first.Close()
		done := e.await(r.store.Revoke(subjectRule("user")))
		e.join("orders", "a", 0).renew(1)
		if !returned(done) {
			t.Error("the acknowledgement on the third stream of the process did not count")
		}
	})
}

func TestAcknowledgementsOfAnotherPrincipalNeverCount(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		done := e.await(r.store.Revoke(subjectRule("user")))
		stream, err := e.Dial("services/intruder")(r.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(message.Hello{ReplicaID: "orders", Incarnation: "a", LastSeq: 1, Generation: "1"}); err != nil {
			t.Fatal(err)
		}
		if returned(done) {
			t.Error("somebody acknowledged for somebody else")
		}
	})
}

func TestLeavingEndsTheWaitForAProcess(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		if err := c.Send(message.Leave{}); err != nil {
			t.Fatal(err)
		}
		c.drain()
		if done := e.await(r.store.Revoke(subjectRule("user"))); !returned(done) {
			t.Error("waits for a process that left")
		}
	})
}

func TestAnEarlyRevokeDoesNotWaitForALaterOne(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		first := e.await(r.store.Revoke(subjectRule("one")))
		second := e.await(r.store.Revoke(subjectRule("two")))
		c.renew(1)
		if !returned(first) || returned(second) {
			t.Errorf("after the acknowledgement of 1: first %t, second %t", returned(first), returned(second))
		}
		c.renew(2)
		if !returned(second) {
			t.Error("the second did not return")
		}
	})
}

func TestACallersDeadlineEndsTheWaitAndNotTheRevocation(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		seq := r.store.Revoke(subjectRule("user"))
		ctx, cancel := context.WithTimeout(r.ctx, time.Second)
		defer cancel()
		start := time.Now()
		_, err := e.Await(ctx, seq)
		pending, ok := errors.AsType[*feed.PendingError](err)
		if !ok || !errors.Is(err, context.DeadlineExceeded) || pending.Seq != seq {
			t.Fatalf("error is %v", err)
		}
		if d := pending.InForceBy.Sub(start); d < rowLease || d > lengthened(rowLease)+time.Millisecond {
			t.Errorf("in force %s after the commit at the latest, want about %s", d, lengthened(rowLease))
		}
		done := e.await(seq)
		c.renew(seq)
		if !returned(done) {
			t.Error("waiting again did not end")
		}
	})
}

// TestACallThatRevokesItsOwnToken is ChangePassword: its own context is
// cancelled by the rule that it waits for.
func TestACallThatRevokesItsOwnTokenGoesOnWaitingUpToItsDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		call, cancel := context.WithCancelCause(r.ctx)
		done := make(chan feed.Receipt, 1)
		seq := r.store.Revoke(subjectRule("user"))
		r.wg.Go(func() {
			got, err := e.Await(call, seq)
			if err != nil {
				t.Error(err)
			}
			done <- got
		})
		cancel(revocation.ErrRevoked)
		if returned(done) {
			t.Fatal("returned before the watcher acknowledged")
		}
		c.renew(seq)
		if !returned(done) {
			t.Error("not returned")
		}

		limited, stop := context.WithTimeout(r.ctx, time.Second)
		defer stop()
		call, cancel = context.WithCancelCause(limited)
		cancel(revocation.ErrRevoked)
		start := time.Now()
		_, err := e.Await(call, r.store.Revoke(subjectRule("user")))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

func TestAwaitIsBoundedByTheRowLeaseWhateverTheStoreDoes(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		e.join("orders", "a", 0).renew(0)
		seq := r.store.Revoke(subjectRule("user"))
		e.hooks.cut()
		got, err := e.Await(r.ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		if got.Waited < rowLease || got.Waited > lengthened(rowLease)+10*time.Millisecond || got.Expired != 1 {
			t.Errorf("receipt is %+v, want one expired after %s", got, lengthened(rowLease))
		}
	})
}

func TestAcknowledgementsOfALostHistoryNeverCount(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth", func(c *feed.Config) { c.Wake = nil })
		c := e.join("orders", "a", 0)
		for n := range 5 {
			r.store.Revoke(subjectRule("user"))
			time.Sleep(feed.DefaultPoll)
			c.renew(int64(n + 1))
		}
		r.store.Restore(2)
		done := e.await(r.store.Revoke(subjectRule("after the restore"))) // position 3 again
		time.Sleep(time.Second)
		if returned(done) {
			t.Fatal("an acknowledgement of the lost position 3 counted")
		}
		again := e.hello("orders", "a", 5) // of the generation before
		m, err := again.Recv()
		if err != nil {
			t.Fatal(err)
		}
		s := m.(message.Snapshot)
		if s.Generation == "1" || len(s.Rules) != 3 || s.HeadSeq != 3 {
			t.Errorf("snapshot of generation %s with %d rules up to %d", s.Generation, len(s.Rules), s.HeadSeq)
		}
		again.generation = "1"
		if got := again.renew(5); got != 0 {
			t.Errorf("granted %s on an acknowledgement of the lost generation", got)
		}
		again.generation = s.Generation
		if got := again.renew(3); got != ttl || !returned(done) {
			t.Errorf("after the acknowledgement in the new generation: granted %s, returned %t", got, returned(done))
		}
	})
}
