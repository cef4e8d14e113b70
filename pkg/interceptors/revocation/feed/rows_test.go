package feed_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
)

func TestARevokeWaitsForTheWatchersOfOtherEngines(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.engine("auth-a"), r.engine("auth-b")
		c := b.join("orders", "x", 0)
		c.renew(0)
		time.Sleep(100 * time.Millisecond)
		done := a.await(r.store.Revoke(subjectRule("user")))
		time.Sleep(time.Second)
		if returned(done) {
			t.Fatal("returned before the watcher of the other engine acknowledged")
		}
		c.renew(1)
		time.Sleep(50 * time.Millisecond)
		if !returned(done) {
			t.Fatal("the watermark was not published at once when it rose")
		}
		if got := <-done; got.Acked != 1 || got.Expired != 0 {
			t.Errorf("receipt is %+v", got)
		}
	})
}

// TestRowsAreListedAfterTheCommit: an engine that came since the last look at
// the rows counts.
func TestRowsAreListedAfterTheCommit(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.engine("auth-a")
		time.Sleep(2500 * time.Millisecond)
		b := r.engine("auth-b")
		b.join("orders", "x", 0).renew(0)
		b.hooks.cut()
		done := a.await(r.store.Revoke(subjectRule("user")))
		time.Sleep(time.Second)
		if returned(done) {
			t.Error("returned although a watcher of a new engine holds a lease")
		}
	})
}

// TestAnEngineThatIsKilled is a restart: nobody need know how long to wait,
// the row tells.
func TestAfterAnEngineWasKilledARevokeWaitsForItsRowAndLaterOnesDoNot(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		old := r.engine("auth")
		c := old.join("orders", "x", 0)
		c.renew(0)
		time.Sleep(rowLease/6 + 100*time.Millisecond) // the row says so
		c.renew(0)
		old.kill()
		old.hooks.cut()
		e := r.engine("auth")
		got, err := e.Await(r.ctx, r.store.Revoke(subjectRule("user")))
		if err != nil {
			t.Fatal(err)
		}
		if got.Waited < rowLease || got.Waited > lengthened(rowLease)+50*time.Millisecond {
			t.Errorf("waited %s for the row of a dead engine, want %s", got.Waited, lengthened(rowLease))
		}
		if got.Expired != 1 {
			t.Errorf("receipt is %+v", got)
		}
		time.Sleep(rowLease / 2)
		got, err = e.Await(r.ctx, r.store.Revoke(subjectRule("user")))
		if err != nil || got.Waited > 50*time.Millisecond {
			t.Errorf("a later revoke waited %s, %v", got.Waited, err)
		}
		if rows, _ := r.store.Rows(r.ctx); len(rows) != 1 {
			t.Errorf("%d rows, the dead one is still there", len(rows))
		}
	})
}

func TestADeadReplicaMakesOneLogoutWaitAndNotEveryLaterOne(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		e.join("orders", "x", 0).renew(0) // and never again
		first, err := e.Await(r.ctx, r.store.Revoke(subjectRule("user")))
		if err != nil || first.Waited > lengthened(ttl)+50*time.Millisecond {
			t.Errorf("the first waited %s, %v", first.Waited, err)
		}
		for range 3 {
			if got, err := e.Await(r.ctx, r.store.Revoke(subjectRule("user"))); err != nil || got.Waited > 50*time.Millisecond {
				t.Errorf("a later one waited %s, %v", got.Waited, err)
			}
		}
	})
}

// TestAStoreWhoseClockIsSetForward: the clock of the store ends no row.
func TestAStoreWhoseClockIsSetForwardEndsNoLease(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.engine("auth-a"), r.engine("auth-b")
		c := b.join("orders", "x", 0)
		c.renew(0)
		b.hooks.cut()
		r.store.SetClock(time.Hour)
		start := time.Now()
		done := a.await(r.store.Revoke(subjectRule("user")))
		for c.renew(0) > 0 {
			if returned(done) {
				t.Fatalf("returned after %s while a watcher holds a lease", time.Since(start))
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}

func TestARowOfAnEngineWithALongerLeaseIsWaitedForAsLong(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		long := 2 * rowLease
		b := r.engine("auth-b", func(c *feed.Config) { c.RowLease = long })
		a := r.engine("auth-a")
		c := b.join("orders", "x", 0)
		c.renew(0)
		b.hooks.cut()
		got, err := a.Await(r.ctx, r.store.Revoke(subjectRule("user")))
		if err != nil {
			t.Fatal(err)
		}
		if got.Waited < long {
			t.Errorf("waited %s for a row lease of %s", got.Waited, long)
		}
	})
}

// The own watchers have acknowledged long before the wait for others is over.
func TestARowWithALongerLeaseThatHasJustComeIsWaitedForAsLong(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		long := 2 * rowLease
		a := r.engine("auth-a")
		synctest.Wait() // it has looked at the rows, and there was no other
		b := r.engine("auth-b", func(c *feed.Config) { c.RowLease = long })
		b.join("orders", "x", 0).renew(0)
		b.hooks.cut()
		got, err := a.Await(r.ctx, r.store.Revoke(subjectRule("user")))
		if err != nil || got.Waited < long {
			t.Errorf("waited %s for a row lease of %s, %v", got.Waited, long, err)
		}
	})
}

func TestAReceiptCountsTheWatchersOfAnEngineThatDiedWhileItWaited(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.engine("auth-a"), r.engine("auth-b")
		far := b.join("orders", "y", 0)
		far.renew(0)
		time.Sleep(rowLease / 3) // the row of b says that there is one
		far.renew(0)
		b.hooks.cut()
		time.Sleep(rowLease / 2) // a has seen the row as it stays
		got, err := a.Await(r.ctx, r.store.Revoke(subjectRule("user")))
		if err != nil || got.Acked != 0 || got.Expired != 1 || got.Waited > rowLease {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestAReceiptCountsTheWatchersOfARowThatNobodyCanReadAnyMore(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.engine("auth-a"), r.engine("auth-b")
		near, far := a.join("orders", "x", 0), b.join("orders", "y", 0)
		near.renew(0)
		far.renew(0)
		time.Sleep(rowLease / 3)
		near.renew(0)
		far.renew(0)
		done := a.await(r.store.Revoke(subjectRule("user")))
		synctest.Wait() // the rows are listed
		near.renew(1)
		a.hooks.cut()
		b.hooks.cut()
		time.Sleep(2 * rowLease)
		if !returned(done) {
			t.Fatal("waits for more than a row lease")
		}
		if got := <-done; got.Acked != 1 || got.Expired != 1 {
			t.Errorf("%d acknowledged and %d expired", got.Acked, got.Expired)
		}
	})
}

func TestAReceiptCountsEveryWatcherOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.engine("auth-a"), r.engine("auth-b")
		near, far := a.join("orders", "x", 0), b.join("orders", "y", 0)
		near.renew(0)
		far.renew(0)
		time.Sleep(rowLease / 3) // the row of b says that there is one
		near.renew(0)
		far.renew(0)
		b.hooks.cut()
		done := a.await(r.store.Revoke(subjectRule("user")))
		near.renew(1)
		time.Sleep(2 * rowLease)
		if !returned(done) {
			t.Fatal("waits for more than a row lease")
		}
		if got := <-done; got.Acked != 1 || got.Expired != 1 {
			t.Errorf("%d acknowledged and %d expired", got.Acked, got.Expired)
		}
	})
}

func TestAReceiptCountsWhoAcknowledgedAlsoWhenTheTimeIsOver(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		refuses, deaf := e.join("orders", "x", 0), e.join("orders", "y", 0)
		refuses.renew(0)
		deaf.renew(0)
		seq := r.store.Revoke(subjectRule("user"))
		synctest.Wait()
		refuses.renew(seq)
		e.hooks.cut() // nobody can tell any more whether the position is of this history
		got, err := e.Await(r.ctx, seq)
		if err != nil || got.Acked != 1 || got.Expired != 1 {
			t.Errorf("%d acknowledged and %d expired, %v", got.Acked, got.Expired, err)
		}
	})
}

// TestARowThatWasSeen: who cannot list the rows remembers the last listing.
func TestARowWithALongerLeaseIsWaitedForAlsoWhenNobodyCanReadTheRows(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		long := 2 * rowLease
		b := r.engine("auth-b", func(c *feed.Config) { c.RowLease = long })
		a := r.engine("auth-a")
		b.join("orders", "x", 0).renew(0)
		time.Sleep(rowLease)
		b.hooks.cut()
		a.hooks.cut()
		got, err := a.Await(r.ctx, r.store.Revoke(subjectRule("user")))
		if err != nil {
			t.Fatal(err)
		}
		if got.Waited < long {
			t.Errorf("waited %s for a row lease of %s", got.Waited, long)
		}
	})
}

func TestAWatermarkOfALostHistoryNeverCounts(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.engine("auth-a"), r.engine("auth-b")
		c := b.join("orders", "x", 0)
		c.renew(0)
		for n := range 5 {
			r.store.Revoke(subjectRule("user"))
			c.renew(int64(n + 1))
		}
		time.Sleep(time.Second) // the row of b says 5
		c.renew(5)
		b.hooks.cut()
		r.store.Restore(2)
		a.hooks.set(func(s *hookedStore) { // which this store does not believe itself
			s.rows = func(rows []feed.Row) []feed.Row {
				for i := range rows {
					if rows[i].Replica == "auth-b" {
						rows[i].Watermark = 5
					}
				}
				return rows
			}
		})
		done := a.await(r.store.Revoke(subjectRule("after the restore"))) // position 3 again
		time.Sleep(time.Second)
		if returned(done) {
			t.Error("the watermark of the lost history counted")
		}
	})
}

// TestARowThatIsInsertedAgain: a row that was removed as dead and comes back
// must not look as dead as it did.
func TestARowThatIsInsertedAgainIsNotTakenForTheDeadOne(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.engine("auth-a")
		b := r.engine("auth-b")
		time.Sleep(10 * time.Millisecond)
		if _, err := a.Await(r.ctx, r.store.Revoke(subjectRule("user"))); err != nil {
			t.Fatal(err)
		} // a has seen the first renewal of b
		a.hooks.cut()
		time.Sleep(2 * rowLease)
		rows, err := r.store.Rows(r.ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if err := r.store.Remove(r.ctx, row.RowKey, feed.AnyRenewals); err != nil {
				t.Fatal(err)
			}
		}
		before := len(rows)
		for len(rows) != 1 || before == 1 { // until b has renewed once
			time.Sleep(10 * time.Millisecond)
			if rows, err = r.store.Rows(r.ctx); err != nil {
				t.Fatal(err)
			}
			before = 0
		}
		c := b.join("orders", "x", 1)
		c.renew(1)
		b.hooks.cut()
		a.hooks.set(func(s *hookedStore) { s.beforeRows, s.beforeRead = nil, nil })
		done := a.await(r.store.Revoke(subjectRule("user")))
		time.Sleep(time.Second)
		if returned(done) {
			t.Error("returned although the watcher of the other engine holds a lease")
		}
	})
}

func TestAnEngineReadsTheFeedWithoutAnyWakeUp(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth", func(c *feed.Config) { c.Wake = nil })
		r.store.Revoke(subjectRule("user"))
		time.Sleep(feed.DefaultPoll + time.Millisecond)
		synctest.Wait()
		if e.Head() != 1 {
			t.Error("not read by the poll")
		}
	})
}

func TestRulesThatNoTokenIsLeftForAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		short := subjectRule("short")
		short.KeepUntil = time.Now().Add(time.Minute)
		r.store.Revoke(short)
		r.store.Revoke(subjectRule("long"))
		time.Sleep(10 * time.Minute)
		m, err := e.hello("orders", "x", 0).Recv()
		if err != nil {
			t.Fatal(err)
		}
		if s := m.(message.Snapshot); len(s.Rules) != 1 || s.Rules[0].ID != "long" || s.HeadSeq != 2 {
			t.Errorf("snapshot is %+v", s)
		}
	})
}
