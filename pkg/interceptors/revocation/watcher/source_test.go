package watcher_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock/leaseclocktest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/revocationtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
)

// TestTheWatcherIsASource runs the whole feed: what Revoke promises is what
// the barrier of the engine says.
func TestTheWatcherIsASource(t *testing.T) {
	revocationtest.RunSourceInBubble(t, func(t *testing.T) revocationtest.Backend {
		ctx, cancel := context.WithCancel(context.Background())
		quiet := slog.New(slog.DiscardHandler)
		store := feedtest.NewMemory()
		engine, err := feed.New(feed.Config{Store: store, Replica: "auth", Clock: leaseclocktest.New(0), Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		w, err := watcher.New(watcher.Config{Dial: engine.Dial("services/orders"), Replica: "orders", Clock: leaseclocktest.New(0), Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 2)
		go func() { ended <- engine.Run(ctx) }()
		go func() { ended <- w.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			for range 2 {
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Minute) // what is still at the barrier ends by the clock
		})
		<-w.Ready()
		return revocationtest.Backend{Source: w, Revoke: func(rules ...revocation.Rule) error {
			for _, r := range rules {
				if err := r.Validate(); err != nil {
					return err
				}
			}
			_, err := engine.Await(ctx, store.Revoke(rules...))
			return err
		}}
	})
}
