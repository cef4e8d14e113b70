package watcher_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
)

// TestApplyingPublishesThenCancelsThenAcknowledges looks at each step from the
// one after it.
func TestApplyingPublishesThenCancelsThenAcknowledges(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), ttl)
		ctx, done := r.Inflight().Enter(t.Context(), user, true)
		defer done()
		seen := make(chan bool, 1)
		context.AfterFunc(ctx, func() { seen <- r.Check(user).Revoked })
		s.send(message.Events{Generation: "1", Rules: []revocation.Rule{rule("user")}, Seq: 1})
		ask := s.renewal()
		if ask.AppliedSeq != 1 {
			t.Fatalf("acknowledged %d", ask.AppliedSeq)
		}
		if ctx.Err() == nil {
			t.Error("acknowledged before the running call was cancelled")
		}
		if !<-seen {
			t.Error("cancelled before the rule was published")
		}
		if cause := context.Cause(ctx); !errors.Is(cause, revocation.ErrRevoked) {
			t.Errorf("cause is %v", cause)
		}
	})
}

func TestApplyingAcknowledgesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), ttl)
		time.Sleep(ttl / 10)
		start := time.Now()
		s.send(message.Events{Generation: "1", Rules: []revocation.Rule{rule("user")}, Seq: 1})
		if ask := s.renewal(); ask.AppliedSeq != 1 || time.Since(start) != 0 {
			t.Errorf("acknowledged %d after %s", ask.AppliedSeq, time.Since(start))
		}
	})
}

func TestOnlyTheCallsOfTheRuleAreCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		ctx, done := r.Inflight().Enter(t.Context(), user, true)
		defer done()
		s.send(message.Events{Generation: "1", Rules: []revocation.Rule{rule("somebody else")}, Seq: 1})
		if ctx.Err() != nil {
			t.Error("a call of another user was cancelled")
		}
		if r.Inflight().Len() != 1 {
			t.Error("the index lost the call")
		}
	})
}

func TestASnapshotIsMergedAndNeverReplacesTheSet(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(5, rule("user"))
		s.grant(s.renewal(), ttl)
		s.close()
		lagging := r.accept()
		if lagging.hello.LastSeq != 5 || lagging.hello.Generation != "1" {
			t.Errorf("resumed with %+v", lagging.hello)
		}
		lagging.send(message.Snapshot{Generation: "1", HeadSeq: 3})
		if ask := lagging.renewal(); ask.AppliedSeq != 5 {
			t.Errorf("the position fell to %d", ask.AppliedSeq)
		}
		if !r.Check(user).Revoked {
			t.Error("the snapshot of a server that lags replaced the set")
		}
	})
}

// Who is cut off between two parts would resume behind rules that never came.
func TestThePositionOfASnapshotCountsWithItsLastPart(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.accept()
		s.send(message.Snapshot{Generation: "1", HeadSeq: 9, Rules: []revocation.Rule{rule("other")}, More: true})
		if seq := r.Status().AppliedSeq; seq != 0 {
			t.Errorf("after the first part the position is %d", seq)
		}
		s.close()
		again := r.accept()
		if again.hello.LastSeq != 0 {
			t.Errorf("resumes at %d", again.hello.LastSeq)
		}
		again.send(message.Snapshot{Generation: "1", HeadSeq: 9, Rules: []revocation.Rule{rule("other")}, More: true})
		again.send(message.Snapshot{Generation: "1", HeadSeq: 9, Rules: []revocation.Rule{rule("user")}})
		if ask := again.renewal(); ask.AppliedSeq != 9 || !r.Check(user).Revoked {
			t.Errorf("after both parts: %+v", ask)
		}
	})
}

func TestANewGenerationBeginsANewPositionAndKeepsTheRules(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(5, rule("user"))
		ask := s.renewal()
		s.send(message.Grant{Nonce: ask.Nonce, TTL: ttl, Generation: "2"})
		if r.fresh() {
			t.Error("a grant of another generation counts")
		}
		again := r.accept()
		again.send(message.Snapshot{Generation: "2", HeadSeq: 1, Rules: []revocation.Rule{rule("other")}})
		if ask := again.renewal(); ask.AppliedSeq != 1 || ask.Generation != "2" {
			t.Errorf("acknowledged %+v", ask)
		}
		if !r.Check(user).Revoked {
			t.Error("a rule of the lost history was forgotten")
		}
	})
}

func TestEventsOfAnotherGenerationEndTheStream(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(5)
		s.renewal()
		s.send(message.Events{Generation: "2", Seq: 9})
		if !s.ended() {
			t.Error("the stream goes on")
		}
		if got := r.Status(); got.AppliedSeq != 5 {
			t.Errorf("position is %d", got.AppliedSeq)
		}
	})
}

func TestWhereTheLeaseRanOutRunningCallsAreCancelledAfterTheGrace(t *testing.T) {
	grace := 4 * time.Second
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), ttl)
		r.refuse.Store(true)
		s.close()
		closed, done := r.Inflight().Enter(t.Context(), user, true)
		defer done()
		bounded, done := r.Inflight().Enter(t.Context(), user, false)
		defer done()
		time.Sleep(held + grace - time.Millisecond)
		synctest.Wait()
		if closed.Err() != nil {
			t.Fatal("cancelled before the grace was over")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if !errors.Is(context.Cause(closed), revocation.ErrStale) {
			t.Errorf("a fail-closed call after the grace: %v", context.Cause(closed))
		}
		if bounded.Err() != nil {
			t.Error("a call that admits staleness was cancelled")
		}
	}, func(c *watcher.Config) { c.Grace = grace })
}

// TestRulesForgottenByAWrongClock: the wall clock was far ahead when rules
// were forgotten, and is set right.
func TestRulesThatAWrongClockForgotAreFetchedAgainBeforeTheNextLease(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(5, rule("user"))
		r.keep(s)
		r.clock.SetWall(2 * time.Hour)
		time.Sleep(2 * time.Minute)
		if r.Check(user).Revoked {
			t.Fatal("the rule is still there")
		}
		r.clock.SetWall(-2 * time.Hour)
		again := r.accept()
		if again.hello.LastSeq != 0 {
			t.Errorf("resumes at %d", again.hello.LastSeq)
		}
		if r.fresh() {
			t.Error("holds a lease without the rule")
		}
		again.send(message.Snapshot{Generation: "1", HeadSeq: 5, Rules: []revocation.Rule{rule("user")}})
		again.grant(again.renewal(), ttl)
		if v := r.Check(user); !v.Revoked || !v.Fresh {
			t.Errorf("afterwards: %+v", v)
		}
	})
}
