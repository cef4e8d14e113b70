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

// moving returns a stream that was opened for a move, and has said position 5,
// after the rule up to there was forgotten by a clock that was far ahead.
func (r *rig) moving() *server {
	r.t.Helper()
	old := r.join(5, rule("user"))
	r.keep(old)
	r.clock.SetWall(2 * time.Hour)
	time.Sleep(2 * time.Minute)
	if r.Check(user).Revoked {
		r.t.Fatal("the rule is still there")
	}
	old.send(message.Move{})
	next := r.accept()
	if next.hello.LastSeq != 5 {
		r.t.Fatalf("resumes at %d", next.hello.LastSeq)
	}
	return next
}

// right sets the clock right, which the next grant notices.
func (r *rig) right() {
	r.t.Helper()
	r.clock.SetWall(-2 * time.Hour)
	time.Sleep(ttl / 2)
	if s := r.Status(); s.AppliedSeq != 0 || s.Generation != "" {
		r.t.Fatalf("the position is not given up: %+v", s)
	}
}

func TestASnapshotThatAnswersAPositionGivenUpSinceIsNotComplete(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		early := r.moving()
		r.right()
		early.send(message.Snapshot{Generation: "1", HeadSeq: 5}) // what follows 5: nothing
		r.keep(early)
		time.Sleep(ttl / 2)
		if v := r.Check(user); v.Fresh {
			t.Fatalf("a lease without the rule: %+v", v)
		}
		again := r.accept()
		if again.hello.LastSeq != 0 {
			t.Errorf("resumes at %d", again.hello.LastSeq)
		}
		again.send(message.Snapshot{Generation: "1", HeadSeq: 5, Rules: []revocation.Rule{rule("user")}})
		again.grant(again.renewal(), ttl)
		if v := r.Check(user); !v.Revoked || !v.Fresh {
			t.Errorf("afterwards: %+v", v)
		}
	})
}

// TestALeaseThatIsGivenUp: whoever waited for it may have returned since, and
// the rule does not come.
func TestALeaseThatIsGivenUpEndsRunningCallsAfterTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.moving()
		closed, done := r.Inflight().Enter(t.Context(), user, true)
		defer done()
		r.refuse.Store(true)
		before := r.Status().Losses
		r.right() // and half a TTL has passed
		if n := r.Status().Losses - before; n != 1 {
			t.Errorf("counted as %d losses", n)
		}
		time.Sleep(watcher.DefaultGrace - ttl/2 - time.Millisecond)
		synctest.Wait()
		if closed.Err() != nil {
			t.Fatal("cancelled before the grace was over")
		}
		time.Sleep(ttl / 2)
		synctest.Wait()
		if !errors.Is(context.Cause(closed), revocation.ErrStale) {
			t.Errorf("a fail-closed call after the grace: %v", context.Cause(closed))
		}
	})
}

// TestTheGrace: it is of the lease, which was over before it was given up.
func TestTheGraceOfALeaseThatRanOutIsNotBegunAgainWhenItIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		only := r.join(5, rule("user"))
		r.keep(only)
		r.clock.SetWall(2 * time.Hour)
		time.Sleep(2 * time.Minute) // the rule is forgotten
		closed, done := r.Inflight().Enter(t.Context(), user, true)
		defer done()
		r.refuse.Store(true)
		only.close()
		time.Sleep(held + watcher.DefaultGrace - ttl)
		r.refuse.Store(false)
		r.clock.SetWall(-2 * time.Hour)
		r.keep(r.join(5, rule("another"))) // its first grant notices the clock
		time.Sleep(ttl)
		synctest.Wait()
		if !errors.Is(context.Cause(closed), revocation.ErrStale) {
			t.Errorf("a fail-closed call after the grace: %v", context.Cause(closed))
		}
	})
}

func TestALeaseThatAStopGivesUpEndsNoCalls(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.moving()
		closed, done := r.Inflight().Enter(t.Context(), user, true)
		defer done()
		r.right()
		r.accept() // it reads no Leave, so the stop takes a while
		if err := r.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if closed.Err() != nil {
			t.Error("a call that the stop drains was cancelled")
		}
	}, func(c *watcher.Config) { c.Grace = ttl })
}

// TestAStreamFromBeforeThePositionWasGivenUp: beside it there is a new one, of
// a server that lags behind the rules that were forgotten.
func TestAStreamFromBeforeThePositionWasGivenUpNeitherGrantsNorAdvances(t *testing.T) {
	for name, last := range map[string]func(nonce uint64) message.Response{
		"grant":  func(nonce uint64) message.Response { return message.Grant{Nonce: nonce, TTL: ttl, Generation: "1"} },
		"events": func(uint64) message.Response { return message.Events{Generation: "1", Seq: 6} },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				early := r.moving()
				early.send(message.Snapshot{Generation: "1", HeadSeq: 5})
				ask := early.renewal()
				r.right()
				early.send(message.Move{})
				lagging := r.accept()
				lagging.send(message.Snapshot{Generation: "1", HeadSeq: 3})
				early.send(last(ask.Nonce))
				if s := r.Status(); r.fresh() || s.AppliedSeq != 3 {
					t.Errorf("without the rule: %+v", s)
				}
				if !early.ended() {
					t.Error("the early stream goes on")
				}
			})
		})
	}
}
