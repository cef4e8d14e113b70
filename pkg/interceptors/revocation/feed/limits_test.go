package feed_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

// TestAWallClockThatIsSetForward: the rules of an engine outlive it, for who
// comes later has a clock of its own.
func TestAWallClockThatIsSetForwardMakesAnEngineForgetNoRule(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		r.store.Revoke(subjectRule("user")) // to be kept for an hour
		time.Sleep(time.Second)
		e.clock.SetWall(3 * time.Hour)
		time.Sleep(5 * time.Minute)
		m, err := e.hello("orders", "x", 0).Recv()
		if err != nil {
			t.Fatal(err)
		}
		if s := m.(message.Snapshot); len(s.Rules) != 1 {
			t.Errorf("snapshot is %+v, the rule is still needed", s)
		}
	})
}

// A block may end after the last token of today, and is for those of tomorrow.
func TestAnEngineKeepsABlockToItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		block := subjectRule("user")
		block.Kind, block.Epoch, block.Until = revocation.KindSubjectBlock, 0, block.KeepUntil.Add(time.Hour)
		r.store.Revoke(block)
		snapshot := func(incarnation string) int {
			m, err := e.hello("orders", incarnation, 0).Recv()
			if err != nil {
				t.Fatal(err)
			}
			return len(m.(message.Snapshot).Rules)
		}
		time.Sleep(time.Until(block.Until) - time.Minute)
		if n := snapshot("x"); n != 1 {
			t.Errorf("%d rules shortly before the end of the block", n)
		}
		time.Sleep(5 * time.Minute)
		if n := snapshot("y"); n != 0 {
			t.Errorf("%d rules after the end of the block", n)
		}
	})
}

// TestMoreRows: what is missing in a listing that was cut off has not passed.
func TestMoreRowsThanAListingHoldsOpenNoBarrier(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.engine("auth-a")
		z := r.engine("auth-z")
		z.join("orders", "x", 0).renew(0)
		z.hooks.cut()
		const many = feed.MaxRows - 1
		a.hooks.set(func(s *hookedStore) {
			s.rows = func(rows []feed.Row) []feed.Row {
				full := make([]feed.Row, 0, feed.MaxRows)
				for n := range many {
					full = append(full, feed.Row{
						RowKey:   feed.RowKey{Replica: "auth-b", Incarnation: fmt.Sprint(n)},
						Progress: feed.Progress{Generation: "1", Watermark: 99},
					})
				}
				for _, row := range rows {
					if row.Replica == "auth-a" { // the one of auth-z is beyond the end
						full = append(full, row)
					}
				}
				return full
			}
		})
		done := a.await(r.store.Revoke(subjectRule("user")))
		time.Sleep(time.Second)
		if returned(done) {
			t.Error("returned although a row was not in the listing")
		}
		time.Sleep(rowLease)
		if !returned(done) {
			t.Error("not returned when every lease is over")
		}
	})
}

// TestAHello: who says Hello acknowledges, and nobody else need say more.
func TestAHelloThatAcknowledgesIsPublishedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.engine("auth-a"), r.engine("auth-b")
		c := b.join("orders", "x", 0)
		c.renew(0)
		time.Sleep(100 * time.Millisecond)
		seq := r.store.Revoke(subjectRule("user"))
		done := a.await(seq)
		time.Sleep(100 * time.Millisecond)
		if returned(done) {
			t.Fatal("returned before the watcher acknowledged")
		}
		b.join("orders", "x", seq) // it has the rule from elsewhere
		time.Sleep(50 * time.Millisecond)
		if !returned(done) {
			t.Error("the watermark was not published when the Hello raised it")
		}
	})
}

// TestAnEngineStarts: its first renewal counts, although the feed is old.
func TestAnEngineOfAnOldFeedGrantsAsSoonAsItHasReadIt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.store.Revoke(subjectRule("user"))
		time.Sleep(time.Hour)
		e := r.engine("auth", func(c *feed.Config) {
			c.Store.(*hookedStore).beforeRead = func(context.Context) error {
				time.Sleep(10 * time.Millisecond) // a real store takes its time
				return nil
			}
		})
		time.Sleep(100 * time.Millisecond)
		if got := e.join("orders", "x", 0).renew(1); got != ttl {
			t.Errorf("granted %s right after the start, want %s", got, ttl)
		}
	})
}

// TestCommitsThatWereLost: their positions are given again, and the rules that
// get them would be taken for known.
func TestCommitsThatWereLostWithinAGenerationEndAllLeases(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "x", 0)
		last := r.store.Revoke(subjectRule("first"), subjectRule("second")) + 1
		r.store.Revoke(subjectRule("lost"))
		synctest.Wait()
		if c.renew(last) != ttl {
			t.Fatal("no lease before anything is wrong")
		}
		r.store.Lose(last - 1)
		time.Sleep(2 * feed.DefaultPoll)
		seq := r.store.Revoke(subjectRule("user"))
		if seq != last {
			t.Fatalf("position %d, want the lost one, %d", seq, last)
		}
		done := e.await(seq)
		time.Sleep(time.Second)
		if returned(done) {
			t.Error("a revoke returned although a watcher with a lease does not know of it")
		}
		if d := c.renew(last); d != 0 {
			t.Errorf("a lease of %s without the rule", d)
		}
		// What a recovery does, however far the positions are by then.
		r.store.Revoke(subjectRule("another"))
		time.Sleep(time.Minute)
		if d := c.renew(last); d != 0 {
			t.Errorf("a lease of %s without the rule, later", d)
		}
		r.store.Restore(seq)
		go c.drain()
		time.Sleep(rowLease)
		again := e.join("orders", "x", 0)
		again.generation = "2"
		if again.renew(again.applied) != ttl {
			t.Error("no lease in the new generation")
		}
	})
}

// TestAnEngineThatWasStarted: it cannot see that commits were lost, and asks the
// others, who can.
func TestAnEngineThatWasStartedSinceCommitsWereLostWaitsForTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		old := r.engine("auth-a")
		c := old.join("orders", "x", 0)
		if c.renew(0) != ttl {
			t.Fatal("no lease before anything is wrong")
		}
		last := r.store.Revoke(subjectRule("lost"))
		synctest.Wait()
		r.store.Lose(last - 1)
		time.Sleep(2 * feed.DefaultPoll)
		fresh := r.engine("auth-b")
		done := fresh.await(r.store.Revoke(subjectRule("user")))
		c.renew(last)            // it means the lost one
		time.Sleep(rowLease / 4) // the row was to be renewed meanwhile
		if returned(done) {
			t.Error("a revoke returned although a watcher with a lease does not know of it")
		}
		time.Sleep(2 * rowLease)
		if !returned(done) {
			t.Error("it waits for ever")
		}
		done = fresh.await(r.store.Revoke(subjectRule("another")))
		time.Sleep(time.Second)
		if !returned(done) {
			t.Error("a later one waits too, although all leases of the other engine are over")
		}
	})
}

// TestARenewalOfALostHistory: the row that was renewed is lost with it.
func TestARenewalInAGenerationThatWasLostExtendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth", func(c *feed.Config) { c.Wake, c.Poll = nil, 100*time.Millisecond })
		time.Sleep(10 * time.Millisecond)
		c := e.join("orders", "x", 0)
		c.renew(0)
		e.hooks.cut()
		time.Sleep(2 * rowLease) // the row lease is over
		e.hooks.heal()
		restored := make(chan struct{})
		var once sync.Once
		e.hooks.set(func(s *hookedStore) {
			s.afterRenew = func(context.Context) error {
				once.Do(func() { r.store.Restore(0); close(restored) })
				return nil
			}
		})
		<-restored
		synctest.Wait()
		again := e.hello("orders", "x", 0)
		m, err := again.Recv()
		if err != nil {
			t.Fatal(err)
		}
		again.generation = m.(message.Snapshot).Generation
		if got := again.renew(0); got != 0 {
			t.Errorf("granted %s under a row that is lost", got)
		}
		time.Sleep(time.Second)
		if got := again.renew(0); got <= 0 {
			t.Error("no lease after a renewal in the new generation")
		}
	})
}
