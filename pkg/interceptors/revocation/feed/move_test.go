package feed_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

func TestAStopWaitsUntilEveryWatcherHoldsALeaseElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first, second := r.engine("first"), r.engine("second")
		time.Sleep(rowLease) // they have seen each other
		one, two := first.join("orders", "a", 0), first.join("orders", "b", 0)
		first.Move()
		left := make(chan int, 1)
		r.wg.Go(func() { left <- first.Moved(r.ctx) })
		for _, c := range []*client{one, two} {
			synctest.Wait()
			if len(left) != 0 {
				t.Fatal("did not wait for every watcher")
			}
			second.join("orders", "a", 0).renew(0)
			c.Close()
		}
		if n := <-left; n != 0 {
			t.Errorf("%d have not moved", n)
		}
	})
}

func TestNobodyIsAskedToMoveByAServerThatStays(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		time.Sleep(ttl / 2)
		if c.renew(0) != ttl || c.moved {
			t.Errorf("asked to move: %t", c.moved)
		}
	})
}

func TestAStopDoesNotWaitForAMoveToNowhere(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		only, dead := r.engine("only"), r.engine("dead")
		time.Sleep(rowLease)
		dead.kill()
		r.wg.Go(only.join("orders", "a", 0).drain)
		only.Move()
		start := time.Now()
		ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
		defer cancel()
		time.Sleep(2 * rowLease)
		if n := only.Moved(ctx); n != 1 || time.Since(start) > 2*rowLease {
			t.Errorf("%d left after %s", n, time.Since(start))
		}
	})
}

func TestAWatcherThatStaysEndsTheWaitForItsMoveWithTheContext(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first := r.engine("first")
		r.engine("second")
		time.Sleep(rowLease)
		first.join("orders", "a", 0)
		first.Move()
		ctx, cancel := context.WithTimeout(r.ctx, time.Second)
		defer cancel()
		start := time.Now()
		if n := first.Moved(ctx); n != 1 || time.Since(start) != time.Second {
			t.Errorf("%d left after %s", n, time.Since(start))
		}
	})
}

func TestTheOwnProcessIsNotAskedToMove(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth", func(c *feed.Config) { c.Incarnation = "self" })
		r.engine("other")
		time.Sleep(rowLease)
		c := e.join("auth", "self", 0)
		e.Move()
		if n := e.Moved(r.ctx); n != 0 {
			t.Errorf("waits for %d", n)
		}
		if c.renew(0); c.moved {
			t.Error("asked to move away from itself")
		}
	})
}

// TestAnEngineThatJustCame is a rolling restart: the one that was restarted
// before is there again, and this one has not looked since.
func TestAStopSeesAnEngineThatHasJustCome(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first := r.engine("first")
		time.Sleep(rowLease + rowLease/12) // between two looks at the others
		second := r.engine("second")
		c := first.join("orders", "a", 0)
		first.Move()
		left := make(chan int, 1)
		r.wg.Go(func() { left <- first.Moved(r.ctx) })
		synctest.Wait()
		if len(left) != 0 {
			t.Fatal("did not wait: it takes itself for the only one")
		}
		second.join("orders", "a", 0).renew(0)
		c.Close()
		if n := <-left; n != 0 {
			t.Errorf("%d have not moved", n)
		}
	})
}
