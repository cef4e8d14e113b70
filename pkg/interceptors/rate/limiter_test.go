package rate_test

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/rate"
)

func limiter(t *testing.T, limit rate.Limit, entries int) *rate.Limiter[string] {
	t.Helper()
	l, err := rate.New[string](limit, entries)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestABurstIsTakenAndThenTheRate(t *testing.T) {
	l := limiter(t, rate.Limit{PerSecond: 10, Burst: 3}, 10)
	now := time.Now()
	for i := range 3 {
		if _, ok := l.Take("a", now); !ok {
			t.Fatalf("take %d is refused", i)
		}
	}
	for range 100 { // who is refused takes nothing
		wait, ok := l.Take("a", now)
		if ok || wait <= 90*time.Millisecond || wait > 100*time.Millisecond {
			t.Fatalf("ok %t, wait %s", ok, wait)
		}
	}
	if _, ok := l.Take("b", now); !ok {
		t.Error("another key is refused")
	}
	if wait, _ := l.Take("a", now.Add(50*time.Millisecond)); wait < 40*time.Millisecond || wait > 60*time.Millisecond {
		t.Errorf("half the way, wait %s", wait)
	}
	if _, ok := l.Take("a", now.Add(101*time.Millisecond)); !ok {
		t.Error("refused after the wait")
	}
	if _, ok := l.Take("a", now.Add(101*time.Millisecond)); ok {
		t.Error("two for one wait")
	}
}

func TestABurstIsOneSecondsWorthUnlessItIsSaid(t *testing.T) {
	for perSecond, want := range map[float64]int{0.5: 1, 3: 3} {
		l := limiter(t, rate.Limit{PerSecond: perSecond}, 10)
		now, taken := time.Now(), 0
		for range 10 {
			if _, ok := l.Take("a", now); ok {
				taken++
			}
		}
		if taken != want {
			t.Errorf("%g/s: %d at once, want %d", perSecond, taken, want)
		}
	}
}

func TestABucketIsNeverFullerThanFull(t *testing.T) {
	l := limiter(t, rate.Limit{PerSecond: 10, Burst: 3}, 10)
	now := time.Now()
	l.Take("a", now)
	taken := 0
	for range 10 {
		if _, ok := l.Take("a", now.Add(24*time.Hour)); ok {
			taken++
		}
	}
	if taken != 3 {
		t.Errorf("%d taken at once after a long time", taken)
	}
	// A clock that goes back gives nothing away.
	if wait, ok := l.Take("a", now); ok || wait < 24*time.Hour {
		t.Errorf("ok %t, wait %s", ok, wait)
	}
}

func TestAttackersWithManyKeysAreHeldInBoundedMemory(t *testing.T) {
	const room = 1000
	l := limiter(t, rate.Limit{PerSecond: 0.001, Burst: 100}, room)
	now := time.Now()
	for i := range 50 * room {
		l.Take(fmt.Sprint(i), now)
		l.Take("victim", now)
	}
	if _, ok := l.Take("victim", now); ok {
		t.Error("a flood of other keys gave one that is limited a new bucket")
	}
	// The cache evicts on a goroutine of its own.
	deadline := time.After(10 * time.Second)
	for l.Len() > room {
		select {
		case <-deadline:
			t.Fatalf("%d buckets, room for %d", l.Len(), room)
		case <-time.After(time.Millisecond):
			l.Take("again", now)
		}
	}
}

func TestCallsAtOnceShareOneBucket(t *testing.T) {
	const keys, callers, burst = 3000, 4, 5
	l := limiter(t, rate.Limit{PerSecond: 0.001, Burst: burst}, 2*keys)
	now := time.Now()
	for i := range keys {
		key := fmt.Sprint(i)
		var taken atomic.Int32
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for range callers {
			wg.Go(func() {
				<-begin
				for range burst {
					if _, ok := l.Take(key, now); ok {
						taken.Add(1)
					}
				}
			})
		}
		close(begin)
		wg.Wait()
		if taken.Load() != burst {
			t.Fatalf("%d taken of a bucket of %d", taken.Load(), burst)
		}
	}
}

func TestCallsAtOnceTakeNoMoreThanThereIs(t *testing.T) {
	const callers, burst = 8, 40_000
	l := limiter(t, rate.Limit{PerSecond: 0.01, Burst: burst}, 10)
	now := time.Now()
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			mine := int64(0)
			for range burst / 2 {
				if _, ok := l.Take("a", now); ok {
					mine++
				}
			}
			taken.Add(mine)
		})
	}
	wg.Wait()
	if taken.Load() != burst {
		t.Errorf("%d taken of %d", taken.Load(), burst)
	}
}

func TestALimitThatMakesNoSenseIsRefused(t *testing.T) {
	for _, limit := range []rate.Limit{{PerSecond: -1}, {Burst: 5}, {PerSecond: 1, Burst: -1}, {PerSecond: 1e12}, {PerSecond: 1e-9}, {PerSecond: 1e-6, Burst: 1e6}, {PerSecond: 1, Burst: 1e9}, {PerSecond: math.NaN()}} {
		if limit.Check() == nil {
			t.Errorf("%+v is taken", limit)
		}
		if _, err := rate.New[string](limit, 1); err == nil {
			t.Errorf("%+v makes a limiter", limit)
		}
	}
	if _, err := rate.New[string](rate.Limit{}, 1); err == nil {
		t.Error("no limit makes a limiter")
	}
	if got := (rate.Limit{PerSecond: 0.5}).String(); got != "0.5/s, burst 1" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkTake(b *testing.B) {
	l, err := rate.New[string](rate.Limit{PerSecond: 1e6, Burst: 1e6}, 10)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Take("a", time.Now())
		}
	})
}
