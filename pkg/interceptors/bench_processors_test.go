package interceptors

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkProcessors is the three links at GOMAXPROCS 2 beside 1, in
// interleaved batches: the median ratio of the processor time of a call, and of
// the time of the wall for as many calls on each processor. What two processors
// write to in turn would make both larger. "apart" is the same with a chain, a
// cache and a feed for each goroutine, which share nothing but Go's allocator:
// what it has above 1 is not ours.
func BenchmarkProcessors(b *testing.B) {
	const rules = 1_000_000 // also a heap as a service has
	one := newHotPath(b, leased(b, rules))
	b.Run("one chain", func(b *testing.B) { compareProcessors(b, one, one) })
	other := newHotPath(b, leased(b, rules))
	b.Run("apart", func(b *testing.B) { compareProcessors(b, one, other) })
}

func compareProcessors(b *testing.B, chains ...*hotPath) {
	b.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	batch := func(processors int) (cpu, wall time.Duration) {
		const calls = 100_000
		runtime.GOMAXPROCS(processors)
		var wg sync.WaitGroup
		used, begin := processorTime(), time.Now()
		for i := range processors {
			wg.Go(func() {
				for range calls {
					if err := chains[i].call(context.Background()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		return (processorTime() - used) / time.Duration(processors*calls), time.Since(begin) / calls
	}
	batch(2)
	var cpu, wall, ratios, walls []float64
	for b.Loop() {
		c1, w1 := batch(1)
		c2, w2 := batch(2)
		cpu, wall = append(cpu, float64(c2)), append(wall, float64(w2))
		ratios, walls = append(ratios, float64(c2)/float64(c1)), append(walls, float64(w2)/float64(w1))
	}
	for unit, values := range map[string][]float64{"cpu-ns/call": cpu, "wall-ns/call": wall, "cpu-2to1-p50": ratios, "wall-2to1-p50": walls} {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], unit)
	}
}
