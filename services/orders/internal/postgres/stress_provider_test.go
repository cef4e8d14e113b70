package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
)

var errNoAnswer = errors.New("no answer")

// faulty is a provider behind a bad network: answers are lost, requests are
// lost, and some arrive long after the caller gave up.
type faulty struct {
	payment.Provider
	rng   *lockedRand
	calm  atomic.Bool
	late  sync.WaitGroup
	count *counters
}

// lateness is how much later than its caller thinks a request may arrive.
const lateness = 600 * time.Millisecond

func (f *faulty) Do(ctx context.Context, a payment.Attempt) (bool, error) {
	fate := f.rng.Float64()
	if f.calm.Load() {
		fate = 0
	}
	switch {
	case fate < .75:
		return f.Provider.Do(ctx, a)
	case fate < .83:
		f.count.add("answer lost")
		_, err := f.Provider.Do(ctx, a)
		return false, errors.Join(errNoAnswer, err)
	case fate < .91:
		f.count.add("request lost")
		return false, errNoAnswer
	default:
		f.count.add("request late")
		f.late.Add(1)
		time.AfterFunc(time.Duration(f.rng.Float64()*float64(lateness)), func() {
			defer f.late.Done()
			_, _ = f.Provider.Do(context.WithoutCancel(ctx), a)
		})
		return false, errNoAnswer
	}
}

// decision accepts most of what it is asked for.
func decision(rng *lockedRand) func(payment.Attempt) bool {
	return func(a payment.Attempt) bool {
		switch a.Operation {
		case order.Authorize:
			return rng.Float64() > .15
		case order.Capture:
			return rng.Float64() > .05
		case order.RefundAmount:
			return rng.Float64() > .2
		default:
			return true
		}
	}
}

// lockedRand is one seeded source for all goroutines.
type lockedRand struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newRand(seed uint64) *lockedRand { return &lockedRand{r: rand.New(rand.NewPCG(seed, seed))} } //nolint:gosec // Repeatable on purpose.

func (l *lockedRand) Float64() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Float64()
}

func (l *lockedRand) N(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.IntN(n)
}

// counters are what happened in a run.
type counters struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counters) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[what]++
}
