package simulated_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
	"github.com/curfew-platform/curfew/services/orders/internal/payment/simulated"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func attempt(of uuid.UUID, op order.Operation, minor int64) payment.Attempt {
	return payment.Attempt{ID: uuid.New(), Payment: of, Operation: op, AmountMinor: minor, Currency: "EUR", MethodToken: "card"}
}

func TestItKeepsBooksAsStrictlyAsARealOne(t *testing.T) {
	t.Parallel()
	provider := simulated.New(ordertest.NewShop(t).DB)
	type step struct {
		op    order.Operation
		minor int64
		want  bool
	}
	for name, steps := range map[string][]step{
		"captured and refunded in parts": {{order.Authorize, 100, true}, {order.Capture, 100, true}, {order.RefundAmount, 60, true}, {order.RefundAmount, 41, false}, {order.RefundAmount, 40, true}},
		"captured without authorization": {{order.Capture, 100, false}},
		"captured twice":                 {{order.Authorize, 100, true}, {order.Capture, 100, true}, {order.Capture, 100, false}},
		"captured beyond authorization":  {{order.Authorize, 100, true}, {order.Capture, 101, false}},
		"captured after a void":          {{order.Authorize, 100, true}, {order.Void, 100, true}, {order.Capture, 100, false}},
		"voided after a capture":         {{order.Authorize, 100, true}, {order.Capture, 100, true}, {order.Void, 100, false}},
		"refunded without a capture":     {{order.Authorize, 100, true}, {order.RefundAmount, 1, false}},
	} {
		id := uuid.New()
		for i, s := range steps {
			a := attempt(id, s.op, s.minor)
			if got, err := provider.Do(t.Context(), a); err != nil || got != s.want {
				t.Errorf("%s: step %d: %v, %v", name, i+1, got, err)
			}
			if got, found, err := provider.Find(t.Context(), a.ID); err != nil || !found || got != s.want {
				t.Errorf("%s: step %d is remembered as %v, %v, %v", name, i+1, got, found, err)
			}
		}
	}
	if _, found, err := provider.Find(t.Context(), uuid.New()); err != nil || found {
		t.Errorf("an unknown key: %v, %v", found, err)
	}
}

func TestAKeyActsOnceHoweverOftenItArrives(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	var decisions atomic.Int32
	provider := simulated.New(shop.DB, simulated.WithDecision(func(payment.Attempt) bool { return decisions.Add(1) == 1 }))
	a := attempt(uuid.New(), order.Authorize, 100)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if ok, err := provider.Do(t.Context(), a); err != nil || !ok {
				t.Errorf("got %v, %v", ok, err)
			}
		})
	}
	wg.Wait()
	if decisions.Load() != 1 {
		t.Errorf("decided %d times", decisions.Load())
	}
}
