package revoke

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAStormOfReconnectsDelaysNoRevokeBeyondOneLease: all watchers of the
// bench lose their streams at once, again and again. What is asserted is the
// lease and no speed.
func TestAStormOfReconnectsDelaysNoRevokeBeyondOneLease(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	starved := probe(t)
	budgets, per, err := simulation(ctx, simulated, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range budgets {
		b.Print(t.Output())
		if b.Quantile(1) > stormGoal+starved() {
			t.Errorf("%s: %v", b.Name, b.Quantile(1))
		}
	}
	for _, s := range append(sizes(), per) {
		s.Print(t.Output())
		if s.Bytes < 16 || s.Bytes > 64<<10 {
			t.Errorf("%s: %.0f bytes", s.Name, s.Bytes)
		}
	}
}

// probe measures how long a goroutine that wants to run is kept waiting: a call
// that is told in time may hear of it that much later.
func probe(t *testing.T) (starved func() time.Duration) {
	t.Helper()
	const every = 10 * time.Millisecond
	var late atomic.Int64
	var end sync.WaitGroup
	done := make(chan struct{})
	end.Go(func() {
		timer := time.NewTimer(every)
		defer timer.Stop()
		for {
			start := time.Now()
			timer.Reset(every)
			select {
			case <-timer.C:
				late.Add(int64(time.Since(start) - every))
			case <-done:
				return
			}
		}
	})
	t.Cleanup(func() {
		close(done)
		end.Wait()
	})
	return func() time.Duration { return time.Duration(late.Load()) }
}
