package watcher_test

import (
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

func TestALeaseCountsFromTheSendingOfItsNonceMinusTheDrift(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		ask := s.renewal()
		time.Sleep(2 * time.Second) // under way, or the process was paused
		s.grant(ask, ttl)
		if got, want := r.lease(), held-2*time.Second; got != want {
			t.Errorf("a grant that arrived 2s late gives %s, want %s", got, want)
		}
		time.Sleep(held - 2*time.Second - 1)
		if !r.fresh() {
			t.Error("stale before the end")
		}
		time.Sleep(time.Nanosecond)
		if v := r.Check(user); v.Fresh || v.StaleFor == 0 || v.StaleFor == revocation.Unknown {
			t.Errorf("at the end: %+v", v)
		}
	})
}

func TestAGrantCountsForTheNonceThatItNamesAndForNoLaterOne(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		first := s.renewal()
		time.Sleep(time.Second)
		second := s.renewal()
		if first.Nonce == second.Nonce {
			t.Fatal("one nonce for two renewals")
		}
		s.send(message.Grant{Nonce: 77, TTL: ttl, Generation: "1"})
		if r.fresh() {
			t.Fatal("a grant for an unknown nonce counts")
		}
		s.grant(first, ttl)
		if got := r.lease(); got > held-900*time.Millisecond {
			t.Errorf("the grant of the first renewal gives %s", got)
		}
		before := r.lease()
		s.grant(first, ttl)
		if r.lease() != before {
			t.Error("a grant counted twice")
		}
		s.grant(second, ttl)
		if r.lease() <= before {
			t.Error("the grant of the second renewal does not count")
		}
	})
}

func TestALeaseIsNeverLongerThanThisProcessesOwn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), time.Hour)
		if got := r.lease(); got != held {
			t.Errorf("a grant of an hour gives %s, want %s", got, held)
		}
	})
}

func TestTheDeadlineIsTheLatestOfAllGrants(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), ttl)
		time.Sleep(ttl / 2)
		before := r.lease()
		s.grant(s.renewal(), ttl/100)
		if got := r.lease(); got != before {
			t.Errorf("a short grant left %s of %s", got, before)
		}
	})
}

// TestSuspend: either clock ends a lease. The boot clock goes on in suspend;
// of a restored machine only the wall clock tells.
func TestEitherClockEndsALease(t *testing.T) {
	for name, change := range map[string]func(*leaseclocktest.Clock){
		"the boot clock alone": func(c *leaseclocktest.Clock) { c.SetWall(-time.Hour); c.LoseBoot(-time.Minute) },
		"the wall clock alone": func(c *leaseclocktest.Clock) { c.SetWall(time.Minute); c.LoseBoot(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				s := r.join(0)
				s.grant(s.renewal(), ttl)
				if !r.fresh() {
					t.Fatal("no lease")
				}
				change(r.clock)
				if r.fresh() {
					t.Error("the lease goes on")
				}
			})
		})
	}
}

// turning is a clock in whose reading something else happens.
type turning struct {
	leaseclock.Clock
	during atomic.Pointer[func()]
}

func (c *turning) Now() leaseclock.Instant {
	if f := c.during.Swap(nil); f != nil {
		(*f)()
	}
	return c.Clock.Now()
}

// TestACheckTakesLeaseAndSetTogether: between the two looks of a check the
// rule is applied, the old lease ends and a new one begins.
func TestACheckThatIsPausedBetweenItsTwoLooksAdmitsNothing(t *testing.T) {
	clock := &turning{}
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), ttl)
		meanwhile := func() {
			time.Sleep(held + time.Millisecond)
			s.send(message.Events{Generation: "1", Rules: []revocation.Rule{rule("user")}, Seq: 1})
			for {
				ask := s.renewal()
				s.grant(ask, ttl)
				if ask.AppliedSeq == 1 && r.Status().Lease > 0 {
					return
				}
			}
		}
		clock.during.Store(&meanwhile)
		if err := r.Check(user).Admit(0); err == nil {
			t.Error("admitted under the new lease by the old set")
		}
		if err := r.Check(user).Admit(0); err != revocation.ErrRevoked {
			t.Errorf("afterwards: %v", err)
		}
	}, func(c *watcher.Config) {
		clock.Clock = c.Clock
		c.Clock = clock
	})
}

func TestNoLeaseNoAnswerBeforeTheFirstSnapshot(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		if v := r.Check(user); v.Fresh || v.StaleFor != revocation.Unknown {
			t.Errorf("before anything: %+v", v)
		}
		s := r.accept()
		s.send(message.Snapshot{Generation: "1", HeadSeq: 2, Rules: []revocation.Rule{rule("user")}, More: true})
		time.Sleep(ttl / 2)
		select {
		case <-r.Ready():
			t.Error("ready after a part of the snapshot")
		default:
		}
		if !r.Check(user).Revoked {
			t.Error("the rule of the first part is not in force")
		}
		s.send(message.Snapshot{Generation: "1", HeadSeq: 2, Rules: []revocation.Rule{rule("other")}})
		ask := s.renewal()
		if ask.AppliedSeq != 2 {
			t.Errorf("acknowledged %d", ask.AppliedSeq)
		}
		s.grant(ask, ttl)
		select {
		case <-r.Ready():
		default:
			t.Error("not ready with snapshot and lease")
		}
		if v := r.Check(&identity.Identity{Issuer: issuer, Subject: "third", Epoch: 1}); !v.Fresh || v.Revoked {
			t.Errorf("of another user: %+v", v)
		}
	})
}

func TestLeavingDropsTheLeaseIgnoresLaterGrantsAndThenSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), ttl)
		time.Sleep(ttl / 2)
		ask := s.renewal() // answered after the leaving
		left := make(chan error, 1)
		r.wg.Go(func() { left <- r.Leave(r.ctx) })
		synctest.Wait()
		if r.fresh() {
			t.Error("the lease goes on")
		}
		s.grant(ask, ttl)
		if r.fresh() {
			t.Error("a grant counts after the leaving")
		}
		for {
			m, err := s.Recv()
			if err != nil {
				t.Fatal("the stream ended without Leave")
			}
			if _, ok := m.(message.Leave); ok {
				break
			}
		}
		synctest.Wait()
		if len(left) != 0 {
			t.Error("Leave returned before the server has said that it read it")
		}
		s.close() // the server has read it
		if err := <-left; err != nil {
			t.Error(err)
		}
		if len(r.dialed) != 0 {
			t.Error("came back after leaving")
		}
		if r.Run(r.ctx) == nil {
			t.Error("runs again")
		}
	})
}

// TestAGrantThatIsBeingTaken: it was received before the leaving and is taken
// after it.
func TestAGrantThatIsBeingTakenWhileTheWatcherLeavesDoesNotCount(t *testing.T) {
	clock := &turning{}
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), ttl)
		ask := s.renewal()
		meanwhile := func() {
			r.wg.Go(func() { _ = r.Leave(r.ctx) }) // ends with the bubble
			for r.fresh() {
				time.Sleep(time.Millisecond)
			}
		}
		synctest.Wait() // the next reading is that at the arrival of the grant
		clock.during.Store(&meanwhile)
		s.grant(ask, ttl)
		time.Sleep(10 * time.Millisecond)
		if r.fresh() {
			t.Error("the lease came back")
		}
	}, func(c *watcher.Config) {
		clock.Clock = c.Clock
		c.Clock = clock
	})
}
