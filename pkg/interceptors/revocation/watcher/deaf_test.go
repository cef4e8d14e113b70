package watcher_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
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
