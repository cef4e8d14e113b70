package inflight

import (
	"context"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// A goroutine can lose its processor while it holds a shard. The calls of all
// others go on.
func TestACallThatFindsAShardBusyTakesAnother(t *testing.T) {
	var x Index
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
	var x Index
	for range 10 * plenty {
		_, leave := x.Enter(context.Background(), &identity.Identity{}, true)
		leave()
	}
	if n := x.slots.Load(); n > plenty {
		t.Errorf("%d slots for one call at a time", n)
	}
}

// Two calls in one slot: a sweep would see one of them.
func TestNoSlotIsGivenTwice(t *testing.T) {
	var x Index
	free := make([]*slot, 2*plenty)
	for i := range free {
		free[i] = x.take()
	}
	for i, s := range free {
		s.home = &x.shard[i%shards]
		x.give(s)
	}
	taken := make(map[*slot]bool, len(free))
	for range free {
		s := x.take()
		if taken[s] {
			t.Fatalf("a slot was given twice, after %d", len(taken))
		}
		taken[s] = true
	}
}
