package chain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
)

const (
	liveRules  = 10_000
	leaseLimit = 30 * time.Second
)

// follow returns a watcher that holds a lease of a feed with some rules, until
// ctx ends.
func follow(ctx context.Context, running *sync.WaitGroup) (revocation.Source, error) {
	store := feedtest.NewMemory()
	for n := range liveRules {
		store.Revoke(revocation.Rule{
			Kind: revocation.Kind(1 + n%3), Issuer: issuer, ID: fmt.Sprintf("%036d", n), Epoch: 1, KeepUntil: time.Now().Add(time.Hour),
		})
	}
	engine, err := feed.New(feed.Config{Store: store, Replica: "bench", Wake: store.Wake()})
	if err != nil {
		return nil, err
	}
	w, err := watcher.New(watcher.Config{Dial: engine.Dial("services/bench"), Replica: "bench"})
	if err != nil {
		return nil, err
	}
	running.Go(func() { _ = engine.Run(ctx) }) // only ever nil
	running.Go(func() { _ = w.Run(ctx) })      // only fails if it is run twice
	select {
	case <-w.Ready():
		return w, nil
	case <-time.After(leaseLimit):
		return nil, errors.New("no lease")
	}
}
