package payment_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
)

var errTimeout = errors.New("no answer in time")

// wire is the network to the provider: do is asked before each call and may
// lose the request or the answer, or look at what is going on.
type wire struct {
	payment.Provider
	mu   sync.Mutex
	do   func(n int, a payment.Attempt) fault
	keys map[order.Operation]map[uuid.UUID]int // how often each key was sent
	n    int
}

type fault int

const (
	clean fault = iota
	requestLost
	answerLost
)

func (w *wire) Do(ctx context.Context, a payment.Attempt) (bool, error) {
	w.mu.Lock()
	w.n++
	n := w.n
	if w.keys[a.Operation] == nil {
		w.keys[a.Operation] = map[uuid.UUID]int{}
	}
	w.keys[a.Operation][a.ID]++
	do := w.do
	w.mu.Unlock()
	f := clean
	if do != nil {
		f = do(n, a)
	}
	if f == requestLost {
		return false, errTimeout
	}
	ok, err := w.Provider.Do(ctx, a)
	if f == answerLost {
		return false, errTimeout
	}
	return ok, err
}

// set changes what happens to calls from now on.
func (w *wire) set(do func(n int, a payment.Attempt) fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.do = do
}

// newShop is a shop whose provider is behind a wire.
func newShop(t *testing.T, do func(n int, a payment.Attempt) fault, options ...ordertest.Option) (*ordertest.Shop, *wire) {
	t.Helper()
	w := &wire{do: do, keys: map[order.Operation]map[uuid.UUID]int{}}
	options = append(options, ordertest.WithProvider(func(p payment.Provider) payment.Provider {
		w.Provider = p
		return w
	}))
	shop := ordertest.NewShop(t, options...)
	shop.Product(t, "a", 1000, 10)
	return shop, w
}

// first loses what the fault says of the first call of an operation.
func first(op order.Operation, f fault) func(int, payment.Attempt) fault {
	var once sync.Once
	return func(_ int, a payment.Attempt) fault {
		got := clean
		if a.Operation == op {
			once.Do(func() { got = f })
		}
		return got
	}
}

func always(f fault) func(int, payment.Attempt) fault {
	return func(int, payment.Attempt) fault { return f }
}

// state fails the test unless the order is in the state.
func state(t *testing.T, shop *ordertest.Shop, o *order.Order, want order.State) *order.Order {
	t.Helper()
	got := shop.Read(t, o)
	if got.State != want {
		t.Fatalf("the order is in %v, want %v", got.State, want)
	}
	ordertest.Check(t, shop.DB)
	return got
}
