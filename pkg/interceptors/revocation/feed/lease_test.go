package feed_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

func TestARowLeaseMustOutlastTwoWatchersAndAPoll(t *testing.T) {
	_, err := feed.New(feed.Config{
		Store: &hookedStore{}, Replica: "auth", Clock: &fixedClock{}, TTL: 3 * time.Second, RowLease: 6 * time.Second,
	})
	if err == nil {
		t.Error("a row lease of two leases without a poll was accepted")
	}
}

// TestAWatcherThatRenewsAndDoesNotApply is the cap of a lease: a zombie holds a
// revoking call for one lease, and not for ever.
func TestAWatcherThatRenewsAndDoesNotApplyDelaysARevokeByOneLease(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		start := time.Now()
		done := e.await(r.store.Revoke(subjectRule("user")))
		for !returned(done) {
			time.Sleep(50 * time.Millisecond)
			c.renew(0)
			if time.Since(start) > 2*rowLease {
				t.Fatal("the zombie holds the barrier")
			}
		}
		if receipt := <-done; receipt.Waited > lengthened(ttl)+100*time.Millisecond || receipt.Expired != 1 || receipt.Acked != 0 {
			t.Errorf("receipt is %+v, want one expired after %s", receipt, lengthened(ttl))
		}
		if got := c.renew(0); got != 0 {
			t.Errorf("granted %s with an event unacknowledged for a whole lease", got)
		}
		if got := c.renew(1); got != ttl {
			t.Errorf("granted %s after the acknowledgement, want %s", got, ttl)
		}
	})
}

func TestAnEventThatIsUnderWayShortensALeaseAndDoesNotEndIt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		r.store.Revoke(subjectRule("user"))
		synctest.Wait()
		time.Sleep(time.Second)
		got := c.renew(0)
		if want := ttl - time.Second; got <= 0 || got > want+10*time.Millisecond || got < want-50*time.Millisecond {
			t.Errorf("granted %s one second after the dispatch, want about %s", got, want)
		}
	})
}

// TestAnEngineCutOffFromTheStore is the zombie engine: it grants nothing past
// its own row lease, and changes nothing else.
func TestAnEngineCutOffFromTheStoreGrantsNothingPastItsOwnLease(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		e.hooks.cut()
		renewed := time.Now() // at the latest
		var last time.Time
		zeros := 0
		for time.Since(renewed) < 2*rowLease {
			if got := c.renew(0); got > 0 {
				if zeros > 0 {
					t.Fatal("granted again without a renewal")
				}
				if end := time.Now().Add(got); end.After(last) {
					last = end
				}
			} else {
				zeros++
			}
			time.Sleep(50 * time.Millisecond)
		}
		margin := time.Duration(2 * drift * float64(ttl))
		if limit := renewed.Add(shortened(rowLease) - margin); last.After(limit) {
			t.Errorf("a lease ends %s after the last renewal, want at most %s", last.Sub(renewed), limit.Sub(renewed))
		}
		if zeros == 0 {
			t.Error("it never stopped granting")
		}
		// Stream, registration and acknowledgements are as they were.
		seq := r.store.Revoke(subjectRule("user"))
		e.hooks.heal()
		for c.applied != seq {
			time.Sleep(20 * time.Millisecond)
			c.renew(0)
		}
		time.Sleep(lengthened(ttl))
		if got := c.renew(0); c.applied != seq || got != 0 {
			t.Errorf("after the partition: applied %d, granted %s unacknowledged", c.applied, got)
		}
		if got := c.renew(seq); got != ttl {
			t.Errorf("granted %s after a complete renewal, want %s", got, ttl)
		}
	})
}

func TestTheRowLeaseCountsFromTheSendingOfTheUpdate(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		slow := 2 * time.Second
		e := r.engine("auth", func(c *feed.Config) {
			c.Store.(*hookedStore).afterRenew = func(ctx context.Context) error {
				time.Sleep(slow) // the answer is under way
				return nil
			}
		})
		sent := time.Now()
		c := e.join("orders", "a", 0)
		time.Sleep(slow + 10*time.Millisecond)
		e.hooks.cut()
		for time.Since(sent) < 2*rowLease {
			if got := c.renew(0); got > 0 && time.Now().Add(got).After(sent.Add(shortened(rowLease))) {
				t.Fatalf("%s after the sending a lease of %s", time.Since(sent), got)
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}

// TestRulesAreReadAfterTheRenewal: a revocation that commits while a renewal
// is under way has not seen the new lease, so the renewal must see it.
func TestRulesAreReadAfterTheRenewalHasCommittedAndWrittenBeforeTheLeaseIsExtended(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		// Nothing but renewals reads.
		quietly := func(c *feed.Config) {
			c.Wake, c.Poll, c.RowLease = nil, time.Hour, 3*time.Hour
		}
		e := r.engine("auth", quietly)
		c := e.join("orders", "a", 0)
		c.renew(0)
		e.hooks.cut()
		time.Sleep(4 * time.Hour) // the row lease is over
		reading := make(chan struct{})
		var committed atomic.Int64
		e.hooks.heal()
		e.hooks.set(func(s *hookedStore) {
			s.beforeRenew = func(context.Context) error {
				if committed.Load() == 0 {
					committed.Store(r.store.Revoke(subjectRule("user")))
				}
				return nil
			}
			s.beforeRead = func(ctx context.Context) error {
				if committed.Load() == 0 {
					return errors.New("not yet")
				}
				select {
				case <-reading:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		})
		for range 24 * 60 {
			if time.Sleep(time.Minute); committed.Load() != 0 {
				break
			}
		}
		seq := committed.Load()
		if seq == 0 {
			t.Fatal("no renewal reached the store before a read did")
		}
		if got := c.renew(0); got != 0 {
			t.Fatalf("a lease of %s before the rules were read", got)
		}
		close(reading)
		for {
			time.Sleep(10 * time.Millisecond)
			if got := c.renew(0); got > 0 || c.applied >= seq {
				break
			}
		}
		if c.applied < seq {
			t.Error("a lease after the renewal and not the rule that was committed during it")
		}
	})
}

// TestAStoreWhoseClockIsSetBack: the bound of the row lease by the store's
// clock says nothing then. No lease that is not behind the rule on its stream
// outlives one row lease after the commit all the same.
func TestAStoreWhoseClockIsSetBackProlongsNoLeaseOfAWatcherWithoutTheRule(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		time.Sleep(10 * time.Millisecond)
		e.hooks.set(func(s *hookedStore) { s.beforeRead = func(context.Context) error { return errors.New("no") } })
		committed := time.Now()
		seq := r.store.Revoke(subjectRule("user"))
		r.store.SetClock(-time.Hour)
		// The rule becomes known late, by a renewal right before the end of the
		// row lease, while a watcher holds a lease up to that end.
		for time.Since(committed) < shortened(rowLease)-250*time.Millisecond {
			c.renew(0)
			time.Sleep(10 * time.Millisecond)
		}
		e.hooks.heal()
		var last time.Time
		for time.Since(committed) < 2*rowLease {
			if got := c.renew(0); got > 0 && c.applied < seq {
				last = time.Now().Add(got)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if c.applied != seq {
			t.Fatal("the rule did not arrive")
		}
		if limit := committed.Add(rowLease); last.After(limit) {
			t.Errorf("a lease without the acknowledgement ends %s after the commit", last.Sub(committed))
		}
	})
}

func TestAStopKeepsTheRowUntilTheLastLeaseIsOver(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		granted := time.Now()
		c.renew(0)
		stopped := make(chan error, 1)
		r.wg.Go(func() { stopped <- e.Stop(r.ctx) })
		for {
			synctest.Wait()
			rows, err := r.store.Rows(r.ctx)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				break
			}
			if got := c.renew(0); got != 0 {
				t.Fatalf("granted %s while stopping", got)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(granted); d < lengthened(ttl) || d > lengthened(ttl)+time.Second {
			t.Errorf("the row went %s after the grant, want %s", d, lengthened(ttl))
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		time.Sleep(2 * rowLease)
		if rows, _ := r.store.Rows(r.ctx); len(rows) != 0 {
			t.Error("the row came back")
		}
	})
}

func TestAStopThatIsCutShortLeavesTheRow(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		e.join("orders", "a", 0).renew(0)
		ctx, cancel := context.WithTimeout(r.ctx, time.Second)
		defer cancel()
		if err := e.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
		if rows, _ := r.store.Rows(r.ctx); len(rows) != 1 {
			t.Error("the row of leases that are left is gone")
		}
	})
}

func TestMoveIsSentToWatchersThatAreThereAndThatComeAndGrantingGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		e.Move()
		later := e.join("orders", "b", 0)
		time.Sleep(time.Second)
		for _, c := range []*client{c, later} {
			if got := c.renew(0); got != ttl || !c.moved {
				t.Errorf("granted %s, moved %t", got, c.moved)
			}
		}
	})
}
