package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

var errTaken = errors.New("the token was taken away")

// Every command asks the guard right before it commits, and leaves nothing
// behind if the guard refuses: no effect, no event, and no answer either.
func TestACommandWhoseGuardRefusesLeavesNothing(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 10)
	o := shop.Order(t, uuid.New(), "a")
	asked := 0
	store := shop.Reopen(t, ordertest.WithConfig(func(c *postgres.Config) {
		c.Guard = func(context.Context) error {
			asked++
			return errTaken
		}
	}))
	note := "x"
	free := shop.Order(t, uuid.New(), "a")
	for name, command := range map[string]func() error{
		"CreateOrder": func() error {
			return second(store.CreateOrder(t.Context(), ordertest.Request(o.User, "CreateOrder"), ordertest.NewOrder(o.User, "a")))
		},
		"UpdateOrder": func() error {
			return second(store.UpdateOrder(t.Context(), ordertest.Request(o.User, "UpdateOrder"), postgres.OrderEdit{User: o.User, ID: o.ID, Note: &note}))
		},
		"PayOrder": func() error {
			_, attempt, err := store.BeginPayment(t.Context(), ordertest.PayRequest(free.User), postgres.NewPayment{User: free.User, Order: free.ID, MethodToken: "card"})
			if attempt != nil {
				t.Error("the provider would be called")
			}
			return err
		},
		"CancelOrder": func() error {
			return second(store.CancelOrder(t.Context(), ordertest.Request(o.User, "CancelOrder"), postgres.Cancellation{User: o.User, Order: o.ID}))
		},
		"GrantPoints": func() error {
			return second(store.GrantPoints(t.Context(), ordertest.Staff("GrantPoints"), o.User, 5))
		},
		"UpsertProduct": func() error {
			return second(store.UpsertProduct(t.Context(), ordertest.Staff("UpsertProduct"), postgres.ProductChange{SKU: "b", Title: "B", Currency: "EUR", OnHand: 1}))
		},
	} {
		before := asked
		if err := command(); !errors.Is(err, errTaken) || asked != before+1 {
			t.Errorf("%s: %v, the guard was asked %d times", name, err, asked-before)
		}
	}
	var rows int
	if err := shop.DB.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM order_events) + (SELECT count(*) FROM idempotency_keys) + (SELECT count(*) FROM products)
		+ (SELECT count(*) FROM payments) + (SELECT count(*) FROM ledger_transfers)`).Scan(&rows); err != nil || rows != 2+3+1 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if got := shop.Read(t, o); got.State != order.PendingPayment || got.Version != 1 {
		t.Errorf("the order is %v, version %d", got.State, got.Version)
	}
	ordertest.Check(t, shop.DB)
}
