package feed_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/watcher"
)

// A server that revokes embeds an engine. It commits the revocation, waits until
// every watcher refuses what was revoked, and only then answers. Other services
// watch over gRPC, with packages feedgrpc and watchergrpc.
func Example() {
	store := feedtest.NewMemory() // in production a feed.Store on the database of the server
	engine, err := feed.New(feed.Config{Store: store, Replica: "auth-0", Wake: store.Wake()})
	if err != nil {
		panic(err)
	}
	source, err := watcher.New(watcher.Config{Dial: engine.Dial("services/auth"), Replica: "auth-0"})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { _ = engine.Run(ctx) })
	wg.Go(func() { _ = source.Run(ctx) })
	<-source.Ready()

	alice := &identity.Identity{Issuer: "https://idp.example.com", Subject: "alice", SessionID: "s1"}
	seq := store.Revoke(revocation.Rule{
		Kind: revocation.KindSession, Issuer: alice.Issuer, ID: "s1", KeepUntil: time.Now().Add(time.Hour),
	})
	receipt, err := engine.Await(ctx, seq)
	fmt.Println("revoked at position", receipt.Seq, err)
	fmt.Println("admitted anywhere:", source.Check(alice).Admit(0) == nil)
	// Output:
	// revoked at position 1 <nil>
	// admitted anywhere: false
}
