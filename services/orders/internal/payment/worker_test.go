package payment_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
	"github.com/curfew-platform/curfew/services/orders/internal/payment/simulated"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// openFor makes the one open attempt so old.
func openFor(t *testing.T, shop *ordertest.Shop, age string) {
	t.Helper()
	unguarded(t, shop, `UPDATE payment_attempts SET create_time = now() - interval '`+age+`', next_check_time = now() WHERE state IN ('in_flight', 'indeterminate')`)
}

// A request under a key that the provider may have forgotten acts twice.
func TestAnOldAttemptIsAskedAboutAndNotSentAgain(t *testing.T) {
	t.Parallel()
	shop, w := newShop(t, first(order.Authorize, requestLost))
	o := shop.Order(t, uuid.New(), "a")
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	openFor(t, shop, "23 hours 30 minutes")
	shop.Settle(t)
	state(t, shop, o, order.Paying)
	for _, sent := range w.keys[order.Authorize] {
		if sent != 1 {
			t.Errorf("sent %d times", sent)
		}
	}
}

// The limit is looked at right before the call: the process may have slept since
// it took the attempt.
func TestAProcessThatWakesUpTooLateDoesNotSend(t *testing.T) {
	t.Parallel()
	shop, w := newShop(t, nil)
	o := shop.Order(t, uuid.New(), "a")
	_, a, err := shop.Store.BeginPayment(t.Context(), ordertest.PayRequest(o.User), postgres.NewPayment{User: o.User, Order: o.ID, MethodToken: "card"})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(a.SendBefore); left < 22*time.Hour || left > 23*time.Hour {
		t.Errorf("a fresh attempt can be sent for %v by %v", left, a.SendBefore)
	}
	shop.DueNow(t)
	due, _, ok, err := shop.Store.Due(t.Context())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	for _, late := range []*payment.Attempt{a, &due} {
		late.SendBefore = late.SendBefore.Add(-24 * time.Hour)
		if err := shop.Driver.Drive(t.Context(), late); err != nil {
			t.Fatal(err)
		}
	}
	state(t, shop, o, order.Paying)
	if len(w.keys) != 0 {
		t.Errorf("sent %v", w.keys)
	}
}

func TestAnAttemptIsTakenHoweverOftenItWasTried(t *testing.T) {
	t.Parallel()
	shop, _ := newShop(t, first(order.Authorize, requestLost))
	o := shop.Order(t, uuid.New(), "a")
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	unguarded(t, shop, `UPDATE payment_attempts SET tries = 1100, next_check_time = now()`)
	shop.Settle(t)
	state(t, shop, o, order.Confirmed)
}

func TestNotFoundBeyondTheRetentionOfKeysIsADecline(t *testing.T) {
	t.Parallel()
	shop, _ := newShop(t, first(order.Authorize, requestLost))
	o := shop.Order(t, uuid.New(), "a")
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	openFor(t, shop, "24 hours 1 minute")
	shop.Settle(t)
	state(t, shop, o, order.PendingPayment)
}

// What the provider was never asked for did not happen: what is still needed is
// asked for under a new key, and an authorization is not taken for voided.
func TestWhatNeverReachedTheProviderGetsANewAttempt(t *testing.T) {
	t.Parallel()
	for op, c := range map[order.Operation]struct {
		token  string
		during order.State
		want   order.State
	}{
		order.Capture:      {"card", order.Paying, order.Confirmed},
		order.Void:         {simulated.TokenCaptureDeclined, order.Paying, order.PendingPayment},
		order.RefundAmount: {"card", order.Cancelling, order.Cancelled},
	} {
		shop, w := newShop(t, first(op, requestLost))
		o := shop.Order(t, uuid.New(), "a")
		if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, c.token); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		if op == order.RefundAmount {
			if _, err := shop.Store.CancelOrder(t.Context(), ordertest.Request(o.User, "CancelOrder"), postgres.Cancellation{User: o.User, Order: o.ID}); err != nil {
				t.Fatal(err)
			}
			shop.Settle(t)
		}
		state(t, shop, o, c.during)
		openFor(t, shop, "24 hours 1 minute")
		shop.Settle(t)
		got := state(t, shop, o, c.want)
		var done int
		if err := shop.DB.QueryRow(t.Context(), `SELECT count(*) FROM simulated_operations WHERE operation = $1 AND accepted`, op).Scan(&done); err != nil {
			t.Fatal(err)
		}
		if done != 1 || len(w.keys[op]) != 2 || len(got.Refunds) > 1 {
			t.Errorf("%s: done %d times under %d keys, %d refunds", op, done, len(w.keys[op]), len(got.Refunds))
		}
		var ends string
		if err := shop.DB.QueryRow(t.Context(), `SELECT string_agg(state, ' ' ORDER BY state) FROM payment_attempts WHERE operation = $1`, op).Scan(&ends); err != nil {
			t.Fatal(err)
		}
		if ends != "never_asked succeeded" {
			t.Errorf("%s: the attempts ended as %s", op, ends)
		}
	}
}

// A stop cuts a call off and declares nothing declined.
func TestAWorkerThatStopsLeavesItsAttemptOpen(t *testing.T) {
	t.Parallel()
	shop, w := newShop(t, always(requestLost))
	o := shop.Order(t, uuid.New(), "a")
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	shop.DueNow(t)
	ctx, stop := context.WithCancel(t.Context())
	w.set(func(int, payment.Attempt) fault {
		stop()
		return requestLost
	})
	if err := shop.Worker.Run(ctx); err != nil {
		t.Fatal(err)
	}
	state(t, shop, o, order.Paying)
}

func TestARunningWorkerFinishesWhatIsWokenFor(t *testing.T) {
	t.Parallel()
	shop, _ := newShop(t, nil)
	o := shop.Order(t, uuid.New(), "a")
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- shop.Worker.Run(ctx) }()
	if _, err := shop.Store.CancelOrder(t.Context(), ordertest.Request(o.User, "CancelOrder"), postgres.Cancellation{User: o.User, Order: o.ID}); err != nil {
		t.Fatal(err)
	}
	shop.Worker.Wake()
	shop.Until(t, `SELECT state = 9 FROM orders`)
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	state(t, shop, o, order.Cancelled)
}

// A refused refund in CANCELLING makes a new one, after a pause: else the order
// would stay there for ever.
func TestARefusedRefundIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	var refused atomic.Int32
	shop, _ := newShop(t, nil, ordertest.WithDecision(func(a payment.Attempt) bool {
		return a.Operation != order.RefundAmount || refused.Add(1) > 2
	}))
	o := shop.Order(t, uuid.New(), "a")
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.Store.CancelOrder(t.Context(), ordertest.Request(o.User, "CancelOrder"), postgres.Cancellation{User: o.User, Order: o.ID}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 3; n++ {
		shop.Settle(t)
		if got := shop.Read(t, o); len(got.Refunds) != min(n+1, 3) {
			t.Fatalf("after round %d: %d refunds", n, len(got.Refunds))
		}
		if n < 3 {
			state(t, shop, o, order.Cancelling)
			if pause := untilDue(t, shop); pause < time.Second<<n {
				t.Errorf("the %d. refusal is followed at once: %v", n, pause)
			}
			shop.DueNow(t)
		}
	}
	if got := state(t, shop, o, order.Cancelled); got.RefundedMinor != 1000 {
		t.Errorf("refunded %d", got.RefundedMinor)
	}
}

// untilDue is the pause that the open attempt was made with.
func untilDue(t *testing.T, shop *ordertest.Shop) (d time.Duration) {
	t.Helper()
	err := shop.DB.QueryRow(t.Context(), `SELECT next_check_time - create_time FROM payment_attempts WHERE state = 'in_flight'`).Scan(&d)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
