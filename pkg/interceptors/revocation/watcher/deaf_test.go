package watcher_test

import (
	"context"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
)

// TestAServerThatAnswersNothing: what this process says does not reach it, and
// there is no end of what it says itself.
func TestAServerThatTellsEventsAndAnswersNoRenewalIsLeftWhileTheLeaseStillRuns(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		deaf := r.join(0)
		deaf.grant(deaf.renewal(), ttl)
		r.wg.Go(func() {
			for {
				if _, err := deaf.Recv(); err != nil {
					return
				}
			}
		})
		r.wg.Go(func() {
			for seq := int64(1); seq < 100; seq++ {
				time.Sleep(100 * time.Millisecond)
				if deaf.Send(message.Events{Generation: "1", Seq: seq}) != nil {
					return
				}
			}
		})
		start := time.Now()
		next := r.accept()
		if !r.fresh() {
			t.Fatalf("the lease ran out %s ago, and only now another server is asked", time.Since(start)-held)
		}
		next.send(message.Snapshot{Generation: "1", HeadSeq: 100})
		next.grant(next.renewal(), ttl)
		time.Sleep(ttl / 2)
		if !r.fresh() {
			t.Error("not moved")
		}
	})
}

// TestAServerThatCannotBeReached: nothing comes of the attempt, not even an error.
func TestAnAttemptThatComesToNothingIsGivenUp(t *testing.T) {
	attempts := 0
	bubble(t, func(t *testing.T, r *rig) {
		start := time.Now()
		r.accept()
		if d := time.Since(start); d > 3*ttl {
			t.Errorf("the next server is asked after %s", d)
		}
	}, func(c *watcher.Config) {
		dial := c.Dial
		c.Dial = func(ctx context.Context) (message.ClientStream, error) {
			if attempts++; attempts == 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return dial(ctx)
		}
	})
}

// A stream costs its server memory and a lease to wait for.
func TestAWatcherThatCameBackHasOneStream(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.join(0).close()
		r.keep(r.join(0))
		time.Sleep(time.Minute)
		if n := len(r.dialed); n != 0 {
			t.Errorf("%d streams more", n)
		}
	})
}

// TestAGrantThatComesLate: its lease counts from the question.
func TestALeaseThatIsOverWhenItArrivesMakesNobodyReady(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		ask := s.renewal()
		time.Sleep(held - time.Millisecond)
		next := s.renewal() // the question after it is asked meanwhile
		time.Sleep(time.Millisecond)
		s.grant(ask, ttl)
		select {
		case <-r.Ready():
			t.Error("ready without a lease")
		default:
		}
		s.grant(next, ttl)
		select {
		case <-r.Ready():
		default:
			t.Error("not ready with one")
		}
	})
}

// TestAWallClockThatIsSetBack: rules that it has forgotten are needed again, from
// the moment at which it is set right.
func TestAWallClockThatIsSetBackEndsTheLeaseAtOnceIfRulesWereForgottenByIt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.keep(r.join(5, rule("user")))
		r.clock.SetWall(2 * time.Hour)
		time.Sleep(2 * time.Minute)
		if v := r.Check(user); v.Revoked || !v.Fresh {
			t.Fatalf("%+v while the clock is wrong, want the rule forgotten", v)
		}
		r.clock.SetWall(-2 * time.Hour)
		if v := r.Check(user); v.Fresh || v.StaleFor != revocation.Unknown {
			t.Errorf("%+v right after the clock was set back", v)
		}
	})
}
