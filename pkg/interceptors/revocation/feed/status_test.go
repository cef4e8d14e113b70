package feed_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
)

func TestARowLeaseThatWasNeverHeldHasNoLengthToSpeakOf(t *testing.T) {
	e, err := feed.New(feed.Config{Store: feedtest.NewMemory(), Replica: "auth"})
	if err != nil {
		t.Fatal(err)
	}
	if s := e.Status(); s.RowLease != 0 {
		t.Errorf("%s are left", s.RowLease)
	}
}

func TestAnEngineThatIsCutOffCountsTheLossOfItsRowOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth")
		c := e.join("orders", "a", 0)
		c.renew(0)
		synctest.Wait()
		if s := e.Status(); s.Watchers != 1 || s.RowLease <= 0 || s.RowLosses != 0 {
			t.Fatalf("at the beginning: %+v", s)
		}
		e.hooks.cut()
		time.Sleep(2 * rowLease)
		if s := e.Status(); s.Watchers != 0 || s.RowLease > 0 || s.RowLosses != 1 {
			t.Errorf("cut off: %+v", s)
		}
		e.hooks.heal()
		time.Sleep(rowLease)
		if s := e.Status(); s.RowLease <= 0 || s.RowLosses != 1 {
			t.Errorf("healed: %+v", s)
		}
		seq := r.store.Revoke(subjectRule("user"))
		synctest.Wait()
		if s := e.Status(); s.Head != seq || s.Watermark != seq || s.Rules != 1 {
			t.Errorf("after a revocation: %+v", s)
		}
	})
}

func TestWhatARevokingCallWaitedForIsTold(t *testing.T) {
	var mu sync.Mutex
	var told []feed.Receipt
	var complete []bool
	bubble(t, func(t *testing.T, r *rig) {
		e := r.engine("auth", func(c *feed.Config) {
			c.Awaited = func(r feed.Receipt, whole bool) {
				mu.Lock()
				defer mu.Unlock()
				told, complete = append(told, r), append(complete, whole)
			}
		})
		c := e.join("orders", "a", 0)
		c.renew(0)
		seq := r.store.Revoke(subjectRule("user"))
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := e.Await(short, seq); !errors.As(err, new(*feed.PendingError)) {
			t.Errorf("got %v", err)
		}
		receipt, err := e.Await(t.Context(), seq)
		if err != nil || receipt.Expired != 1 {
			t.Errorf("got %+v, %v", receipt, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(told) != 2 || complete[0] || !complete[1] || told[0].Waited < time.Second || told[1] != receipt {
			t.Errorf("told %+v, %v", told, complete)
		}
		if l := e.Receipts(); len(l) != 1 || l[0] != receipt {
			t.Errorf("remembered are %+v", l)
		}
	})
}
