package watcher_test

import (
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
)

func TestAMoveHoldsALeaseElsewhereBeforeTheOldStreamEnds(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		old := r.join(0)
		old.grant(old.renewal(), ttl)
		old.send(message.Move{})
		next := r.join(0)
		ask := next.renewal()
		old.send(message.Events{Generation: "1", Seq: 1}) // still followed
		for old.renewal().AppliedSeq != 1 {               // until it acknowledges that
		}
		next.grant(ask, ttl)
		if !old.ended() {
			t.Error("the old stream goes on")
		}
		if !r.fresh() {
			t.Error("no lease after the move")
		}
	})
}

func TestAMoveToAServerThatMovesItselfIsNoMove(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		old := r.join(0)
		old.grant(old.renewal(), ttl)
		old.send(message.Move{})
		for range 3 {
			next := r.join(0)
			next.send(message.Move{})
			if !next.ended() {
				t.Error("stays with a server that is about to stop")
			}
			old.grant(old.renewal(), ttl)
			if !r.fresh() {
				t.Fatal("lost the lease while looking for another server")
			}
		}
	})
}

// TestWhileTheLeaseRuns: in a rolling restart the first servers that are asked
// may have stopped, or stop as well, or have just started.
func TestWhileTheLeaseRunsOneServerAfterTheOtherIsAsked(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		old := r.join(0)
		r.keep(old)
		old.send(message.Move{})
		for n := range 30 {
			start := time.Now()
			s := <-r.dialed
			if d := time.Since(start); d > ttl/10+time.Millisecond {
				t.Fatalf("server %d is asked after %s", n, d)
			}
			s.close()
		}
	})
}

func TestNoLeaseTwiceInARowTriesAnotherServer(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), ttl)
		s.grant(s.renewal(), 0)
		s.grant(s.renewal(), ttl)
		s.grant(s.renewal(), 0)
		time.Sleep(ttl / 10)
		if len(r.dialed) != 0 {
			t.Fatal("tried another server after one refusal in a row")
		}
		s.grant(s.renewal(), 0)
		start := time.Now()
		next := r.join(0)
		if d := time.Since(start); d > ttl/10 {
			t.Errorf("tried another server only after %s", d)
		}
		next.grant(next.renewal(), ttl)
		if !r.fresh() || !s.ended() {
			t.Error("not moved to the server that grants")
		}
	})
}

func TestASilentServerIsLeftWhileTheLeaseStillRuns(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		silent := r.join(0)
		silent.grant(silent.renewal(), ttl)
		r.wg.Go(func() { // it reads and says nothing
			for {
				if _, err := silent.Recv(); err != nil {
					return
				}
			}
		})
		next := r.join(0)
		if !r.fresh() {
			t.Fatal("the lease ran out before another server was asked")
		}
		next.grant(next.renewal(), ttl)
		time.Sleep(ttl / 2)
		if !r.fresh() {
			t.Error("not moved")
		}
	})
}

func TestASilentServerIsGivenUpBeforeLong(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), ttl)
		start := time.Now()
		r.wg.Go(func() { // it reads and says nothing
			for {
				if _, err := s.Recv(); err != nil {
					return
				}
			}
		})
		r.accept()
		if d := time.Since(start); d > 2*ttl {
			t.Errorf("gave it up after %s", d)
		}
	})
}

func TestAServerThatTakesTheCallAndSendsNothingIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		<-r.dialed // it does not even read
		start := time.Now()
		<-r.dialed
		if d := time.Since(start); d > 3*ttl {
			t.Errorf("gave it up after %s", d)
		}
	})
}

func TestRenewalsAreSentEveryThirdOfALease(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.join(0)
		s.grant(s.renewal(), ttl)
		for range 10 {
			start := time.Now()
			ask := s.renewal()
			if d := time.Since(start); d > ttl/3+time.Millisecond {
				t.Errorf("next renewal after %s", d)
			}
			s.grant(ask, ttl)
		}
	})
}

// TestAReconnectStorm: a server stops again and again, and its watcher comes
// back after another pause each time, where it was.
func TestAReconnectStormIsSpreadByChanceAndResumesWhereItWas(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		const stops = 100
		moments := map[time.Duration]int{}
		s := r.join(7)
		for range stops {
			s.grant(s.renewal(), ttl)
			stopped := time.Now()
			s.close()
			s = r.accept()
			moments[time.Since(stopped).Truncate(time.Microsecond)]++
			if s.hello.LastSeq != 7 {
				t.Fatalf("resumes at %d", s.hello.LastSeq)
			}
			s.send(message.Snapshot{Generation: "1", HeadSeq: 7})
		}
		if len(moments) < stops/2 {
			t.Errorf("%d stops, and the watcher came back at only %d different moments", stops, len(moments))
		}
	})
}

func TestBrokenServersAreTriedAgainWithAGrowingPause(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var last time.Time
		longest := time.Duration(0)
		for n := range 30 {
			s := <-r.dialed
			if n > 0 {
				longest = max(longest, time.Since(last))
			}
			last = time.Now()
			s.close()
		}
		if longest > ttl/2+10*time.Millisecond || longest < ttl/10 {
			t.Errorf("longest pause is %s", longest)
		}
	})
}

func TestWhatAServerMustNotSendEndsTheStream(t *testing.T) {
	for name, messages := range map[string][]message.Response{
		"events before the snapshot": {message.Events{Generation: "1", Seq: 9}},
		"a second snapshot":          {message.Snapshot{Generation: "1", HeadSeq: 5}, message.Snapshot{Generation: "1", HeadSeq: 9}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.join(5).close()
				s := r.accept() // resumes, in the generation that it knows
				for _, m := range messages {
					s.send(m)
				}
				if !s.ended() {
					t.Error("the stream goes on")
				}
				if seq := r.Status().AppliedSeq; seq != 5 {
					t.Errorf("position is %d", seq)
				}
			})
		})
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	if _, err := watcher.New(watcher.Config{}); err == nil {
		t.Error("a watcher without anything was accepted")
	}
}
