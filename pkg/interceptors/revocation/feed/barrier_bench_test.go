package feed_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
)

// BenchmarkBarrier is a revoking call with everybody live, without transport.
func BenchmarkBarrier(b *testing.B) {
	for _, watchers := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("watchers=%d", watchers), func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error)
			store := feedtest.NewMemory()
			engine, err := feed.New(feed.Config{Store: store, Replica: "auth", Logger: quiet, Wake: store.Wake()})
			if err != nil {
				b.Fatal(err)
			}
			go func() { ended <- engine.Run(ctx) }()
			for n := range watchers {
				w, err := watcher.New(watcher.Config{
					Dial: engine.Dial("services/orders"), Replica: fmt.Sprint(n), Logger: quiet,
				})
				if err != nil {
					b.Fatal(err)
				}
				go func() { ended <- w.Run(ctx) }()
				<-w.Ready()
			}
			for b.Loop() {
				r, err := engine.Await(ctx, store.Revoke(subjectRule("user")))
				if err != nil || int(r.Acked) != watchers {
					b.Fatal(r, err)
				}
			}
			cancel()
			for range watchers + 1 {
				if err := <-ended; err != nil {
					b.Error(err)
				}
			}
		})
	}
}
