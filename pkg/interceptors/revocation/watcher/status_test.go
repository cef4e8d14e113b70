package watcher_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// The figure is drawn: it must not say since when there are computers.
func TestALeaseThatWasNeverHeldOrWasGivenUpHasNoLengthToSpeakOf(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		if d := r.lease(); d != 0 {
			t.Errorf("%s are left before the first one", d)
		}
		r.moving()
		r.right()
		if d := r.lease(); d > 0 || d < -ttl/2 {
			t.Errorf("%s are left half a TTL after it was given up", d)
		}
		if err := r.Leave(r.ctx); err != nil {
			t.Fatal(err)
		}
		if d := r.lease(); d != 0 {
			t.Errorf("%s are left after a stop", d)
		}
	})
}

func TestALostLeaseIsCountedOnceAndARenewedOneNever(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		expect := func(when string, want uint64) {
			t.Helper()
			if got := r.Status().Losses; got != want {
				t.Errorf("%s: %d losses, want %d", when, got, want)
			}
		}
		s := r.join(0)
		expect("before the first lease", 0)
		s.grant(s.renewal(), ttl)
		for range 5 {
			s.grant(s.renewal(), ttl)
		}
		expect("renewed in time", 0)
		time.Sleep(2 * ttl)
		synctest.Wait()
		expect("over", 1)
		for len(r.dialed) > 1 {
			<-r.dialed // the watcher has left it, for it was silent
		}
		next := r.join(0)
		ask := next.renewal()
		time.Sleep(time.Millisecond)
		next.grant(ask, time.Nanosecond)
		expect("a lease that is over when it comes", 1)
		next.grant(next.renewal(), ttl)
		if !r.fresh() {
			t.Fatal("no lease after the second grant")
		}
		expect("held again", 1)
		if err := r.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * ttl)
		expect("left", 1)
		if !r.Status().Left {
			t.Error("it does not say that it has left")
		}
	})
}
