package feed_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

// lagging is a store whose reads come from a standby that stands still.
type lagging struct {
	feed.Store
	mu    sync.Mutex
	still *feed.Page // what it answers; nil: it has caught up
}

func (s *lagging) Read(ctx context.Context, after int64, limit int) (feed.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.still != nil {
		return *s.still, ctx.Err()
	}
	return s.Store.Read(ctx, after, limit)
}

func (s *lagging) stop(t *testing.T) {
	t.Helper()
	p, err := s.Read(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.still = &p
}

// TestAStoreThatReadsFromAStandby is what "from the primary" is for. While the
// clock of the store goes on, the bound of the row lease by the oldest rule
// above the watermark keeps the guarantee: an engine that learns nothing has no
// lease one row lease after the commit. With the clock set back nothing does: a
// watcher holds a lease, and not the rule, after the revoke returned. So package
// feedtest refuses such a store, and services/auth connects to a primary only.
func TestAStoreThatReadsFromAStandbyBreaksTheGuaranteeIfItsClockIsSetBackToo(t *testing.T) {
	for name, test := range map[string]struct {
		set    time.Duration
		breaks bool
	}{
		"the clock goes on":     {0, false},
		"the clock is set back": {-time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				store := &lagging{Store: r.store}
				a := r.engine("auth-a")
				b := r.engine("auth-b", func(c *feed.Config) { c.Store = store })
				c := b.join("orders", "x", 0)
				c.renew(0)
				store.stop(t)
				seq := r.store.Revoke(subjectRule("user"))
				r.store.SetClock(test.set)
				if _, err := a.Await(r.ctx, seq); err != nil {
					t.Fatal(err)
				}
				if got := c.renew(0); c.applied != 0 || got > 0 != test.breaks {
					t.Errorf("granted %s with the rules up to %d", got, c.applied)
				}
			})
		})
	}
}
