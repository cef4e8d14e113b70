package inflight

import (
	"context"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// occupied returns an index whose first slots all have a call.
func occupied() *Index {
	x := &Index{}
	for i := range x.shard {
		x.shard[i].first.call.Store(&Call{parent: context.Background(), id: &identity.Identity{}})
	}
	return x
}

func TestACallIsFoundWhicheverSlotItHas(t *testing.T) {
	for name, x := range map[string]*Index{"the first one": {}, "another one": occupied()} {
		others := x.Len()
		ctx, leave := x.Enter(context.Background(), &identity.Identity{Subject: "u1"}, true)
		if n := x.Len() - others; n != 1 {
			t.Errorf("%s: %d calls", name, n)
		}
		if n := x.Cancel(func(id *identity.Identity) bool { return id.Subject == "u1" }, context.Canceled); n != 1 || ctx.Err() == nil {
			t.Errorf("%s: %d calls cancelled, this one: %v", name, n, ctx.Err())
		}
		leave()
		if n := x.Len() - others; n != 0 {
			t.Errorf("%s: %d calls after the end", name, n)
		}
	}
}

// A goroutine can lose its processor while it holds a shard. The calls of all
// others go on.
func TestACallThatFindsAShardBusyTakesAnother(t *testing.T) {
	x := occupied()
	for i := range shards - 1 {
		x.shard[i].mu.Lock()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, leave := x.Enter(context.Background(), &identity.Identity{}, true)
		leave()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the call waits")
	}
}

// Calls that end where others begin must not make slots without end.
func TestTheIndexIsAsLargeAsTheMostCallsAtOnce(t *testing.T) {
	var x Index
	const calls = 20_000
	for range 10 {
		var taken []*slot
		for i := range calls {
			s := x.take()
			s.home = &x.shard[i%shards] // as if it had begun there
			taken = append(taken, s)
		}
		for _, s := range taken {
			x.give(s)
		}
	}
	if n := x.slots.Load(); n > calls+plenty {
		t.Errorf("%d slots for %d calls", n, calls)
	}
	if n := x.Len(); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

func TestCallsThatComeOneAfterTheOtherUseTheSameSlots(t *testing.T) {
	for want, x := range map[int64]*Index{0: {}, plenty: occupied()} {
		for range 10 * plenty {
			_, leave := x.Enter(context.Background(), &identity.Identity{}, true)
			leave()
		}
		if n := x.slots.Load(); n > want {
			t.Errorf("%d slots for one call at a time, want %d at most", n, want)
		}
	}
}
