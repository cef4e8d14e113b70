package stripe_test

import (
	"sync"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/internal/stripe"
)

func TestGoroutinesThatRunTogetherHaveDifferentNumbers(t *testing.T) {
	const goroutines, stripes = 16, 256
	var (
		mu    sync.Mutex
		taken = map[uint]bool{}
		all   sync.WaitGroup
		asked sync.WaitGroup
	)
	asked.Add(goroutines)
	for range goroutines {
		all.Go(func() {
			n := stripe.Here() % stripes
			mu.Lock()
			taken[n] = true
			mu.Unlock()
			asked.Done()
			asked.Wait() // its stack is nobody else's until then
		})
	}
	all.Wait()
	if len(taken) < goroutines/2 {
		t.Errorf("%d goroutines have %d stripes", goroutines, len(taken))
	}
}

func BenchmarkHere(b *testing.B) {
	for b.Loop() {
		stripe.Here()
	}
}
