package payment_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

func TestTheAttemptIsInTheDatabaseBeforeTheCallLeaves(t *testing.T) {
	t.Parallel()
	shop, w := newShop(t, nil)
	o := shop.Order(t, uuid.New(), "a")
	calls := 0
	w.set(func(_ int, a payment.Attempt) fault {
		calls++
		var open bool
		err := shop.DB.QueryRow(context.Background(), `SELECT state = 'in_flight' FROM payment_attempts WHERE attempt_id = $1 AND operation = $2`, a.ID, a.Operation).Scan(&open)
		if err != nil || !open {
			t.Errorf("%s: no open attempt: %v", a.Operation, err)
		}
		return clean
	})
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	if calls != 2 {
		t.Errorf("%d calls, want authorize and capture", calls)
	}
	state(t, shop, o, order.Confirmed)
}

func TestALostAnswerIsAskedForUnderTheSameKey(t *testing.T) {
	t.Parallel()
	for _, op := range []order.Operation{order.Authorize, order.Capture} {
		for name, f := range map[string]fault{"answer": answerLost, "request": requestLost} {
			shop, w := newShop(t, first(op, f))
			o := shop.Order(t, uuid.New(), "a")
			req := ordertest.PayRequest(o.User)
			paying, err := shop.Pay(t.Context(), req, o, "card")
			if err != nil || paying.State != order.Paying {
				t.Fatalf("%s of %s lost: %v, %v", name, op, paying, err)
			}
			state(t, shop, o, order.Paying)
			shop.Settle(t) // not due yet: it belongs to the one who made it
			state(t, shop, o, order.Paying)
			shop.DueNow(t)
			shop.Settle(t)
			state(t, shop, o, order.Confirmed)
			for asked, keys := range w.keys {
				if len(keys) != 1 {
					t.Errorf("%s of %s lost: %d keys were sent for %s", name, op, len(keys), asked)
				}
			}
			if paid, err := shop.Pay(t.Context(), req, o, "card"); err != nil || paid.State != order.Confirmed {
				t.Errorf("the repetition gets %v, %v and not the outcome", paid, err)
			}
		}
	}
}

// "Not found" at the provider is not an answer, also when nobody wants the
// payment any more: the lost request may arrive any moment, so the key is sent
// again and what comes out is voided.
func TestNotFoundIsSentAgainAlsoForACancelledOrder(t *testing.T) {
	t.Parallel()
	shop, w := newShop(t, first(order.Authorize, requestLost))
	o := shop.Order(t, uuid.New(), "a")
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.Store.CancelOrder(t.Context(), ordertest.Staff("CancelOrder"), postgres.Cancellation{User: o.User, Order: o.ID}); err != nil {
		t.Fatal(err)
	}
	state(t, shop, o, order.Cancelling)
	shop.DueNow(t)
	shop.Settle(t)
	got := state(t, shop, o, order.Cancelled)
	if got.Payments[0].State != order.PaymentVoided || len(w.keys[order.Authorize]) != 1 || len(w.keys[order.Void]) != 1 {
		t.Errorf("got %v after %v", got.Payments[0].State, w.keys)
	}
}

func TestAProcessThatDiesBeforeTheCallLeavesTheAttemptToAWorker(t *testing.T) {
	t.Parallel()
	shop, _ := newShop(t, nil)
	o := shop.Order(t, uuid.New(), "a")
	req := ordertest.PayRequest(o.User)
	n := postgres.NewPayment{User: o.User, Order: o.ID, MethodToken: "card"}
	if _, _, err := shop.Store.BeginPayment(t.Context(), req, n); err != nil {
		t.Fatal(err)
	}
	again, attempt, err := shop.Store.BeginPayment(t.Context(), req, n)
	if err != nil || attempt != nil || again.State != order.Paying {
		t.Fatalf("a repetition while the payment is under way: %v, %v, %v", again, attempt, err)
	}
	shop.DueNow(t)
	shop.Settle(t)
	state(t, shop, o, order.Confirmed)
}

// Transaction B is conditional on the attempt: a late answer to the first try
// does not undo the second one.
func TestASlowDeclineOfTheFirstTryDoesNotUndoTheSecond(t *testing.T) {
	t.Parallel()
	shop, _ := newShop(t, nil)
	o := shop.Order(t, uuid.New(), "a")
	_, slow, err := shop.Store.BeginPayment(t.Context(), ordertest.PayRequest(o.User), postgres.NewPayment{User: o.User, Order: o.ID, MethodToken: "card"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shop.Store.Apply(t.Context(), slow.ID, order.Declined); err != nil { // a worker was faster
		t.Fatal(err)
	}
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	for _, outcome := range []order.Outcome{order.Declined, order.Accepted, order.Never} {
		if next, err := shop.Store.Apply(t.Context(), slow.ID, outcome); err != nil || next != nil {
			t.Fatalf("the second answer to one attempt: %v, %v", next, err)
		}
	}
	state(t, shop, o, order.Confirmed)
}

// The answer of the provider takes effect although the caller hung up.
func TestAKnownAnswerIsAppliedThoughTheCallerHasGone(t *testing.T) {
	t.Parallel()
	shop, w := newShop(t, nil)
	o := shop.Order(t, uuid.New(), "a")
	_, a, err := shop.Store.BeginPayment(t.Context(), ordertest.PayRequest(o.User), postgres.NewPayment{User: o.User, Order: o.ID, MethodToken: "card"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	w.Provider = answering{w.Provider, hangUp}
	if err := shop.Driver.Drive(ctx, a); err != nil {
		t.Fatal(err)
	}
	got := state(t, shop, o, order.Paying)
	if got.Payments[0].State != order.PaymentCapturing {
		t.Errorf("the authorization was thrown away: %v", got.Payments[0].State)
	}
}

// answering runs a function between the deed and the answer.
type answering struct {
	payment.Provider
	then func()
}

func (p answering) Do(ctx context.Context, a payment.Attempt) (bool, error) {
	ok, err := p.Provider.Do(context.WithoutCancel(ctx), a)
	p.then()
	return ok, err
}

func TestPayingDoesNotExpire(t *testing.T) {
	t.Parallel()
	// The window ends between transaction A and the outcome.
	shop, _ := newShop(t, always(requestLost))
	o := shop.Order(t, uuid.New(), "a")
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	overdue(t, shop, o)
	if n, err := shop.Store.ExpireOrders(t.Context(), 10); n != 0 || err != nil {
		t.Fatalf("expired %d, %v", n, err)
	}
	state(t, shop, o, order.Paying)
}

// A decline after the deadline returns to PENDING_PAYMENT, and the sweeper
// takes it from there.
func TestADeclineAfterTheDeadlineEndsInExpired(t *testing.T) {
	t.Parallel()
	shop, w := newShop(t, always(requestLost), ordertest.WithDecision(func(payment.Attempt) bool { return false }))
	o := shop.Order(t, uuid.New(), "a")
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	overdue(t, shop, o)
	w.set(nil)
	shop.DueNow(t)
	shop.Settle(t)
	state(t, shop, o, order.PendingPayment)
	if n, err := shop.Store.ExpireOrders(t.Context(), 10); n != 1 || err != nil {
		t.Fatalf("expired %d, %v", n, err)
	}
	state(t, shop, o, order.Expired)
}

// overdue puts the deadline of an order into the past, which no guard allows.
func overdue(t *testing.T, shop *ordertest.Shop, o *order.Order) {
	t.Helper()
	unguarded(t, shop, `UPDATE orders SET payment_expire_time = now() - interval '1 minute' WHERE order_id = '`+o.ID.String()+`'`)
}

// unguarded runs a statement with the triggers off.
func unguarded(t *testing.T, shop *ordertest.Shop, sql string) {
	t.Helper()
	conn, err := shop.DB.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, q := range []string{`SET session_replication_role = replica`, sql, `RESET session_replication_role`} {
		if _, err := conn.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
}

// Two operations never run at once: neither on one payment nor by two requests
// to pay one order.
func TestAnOrderHasOnePaymentUnderWay(t *testing.T) {
	t.Parallel()
	shop, _ := newShop(t, always(requestLost))
	o := shop.Order(t, uuid.New(), "a")
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card"); err != nil {
		t.Fatal(err)
	}
	_, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card")
	if illegal, ok := errors.AsType[*order.IllegalTransition](err); !ok || illegal.State != order.Paying {
		t.Fatalf("a second payment of an order in PAYING: %v", err)
	}
	state(t, shop, o, order.Paying)
}
