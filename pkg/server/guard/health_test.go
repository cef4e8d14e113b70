package guard_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock/leaseclocktest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/message"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/server/guard"
)

func TestAServiceIsNotReadyBeforeItKnowsTheRevocationsAndDegradedWithoutALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := leaseclocktest.New(0)
		engine, err := feed.New(feed.Config{Store: feedtest.NewMemory(), Replica: "auth", Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		var there atomic.Bool
		dial := engine.Dial("services/orders")
		w, err := watcher.New(watcher.Config{Replica: "orders", Clock: clock, Dial: func(ctx context.Context) (message.ClientStream, error) {
			if !there.Load() {
				return nil, errors.New("nobody there")
			}
			return dial(ctx)
		}})
		if err != nil {
			t.Fatal(err)
		}
		health := guard.Health(w)
		expect := func(when string, want lifecycle.Condition) {
			t.Helper()
			time.Sleep(time.Minute)
			if got := health(); got.Condition != want {
				t.Errorf("%s: %v (%s), want %v", when, got.Condition, got.Reason, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		serving, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { _ = engine.Run(serving) })
		wg.Go(func() { _ = w.Run(ctx) })
		expect("the feed cannot be reached", lifecycle.Unready)
		there.Store(true)
		expect("the revocations are known", lifecycle.Ready)
		stop() // its row lease runs out, and it grants nothing
		expect("the lease is over", lifecycle.Degraded)
		cancel()
		wg.Wait()
	})
}
