package postgres_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/server/idempotency"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// A request is named by caller, method and id, also in the ledger.
func TestOneIDInTwoMethodsIsTwoRequests(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 5)
	user := uuid.New()
	shop.Points(t, user, 500)
	req, n := ordertest.Request(user, "CreateOrder"), ordertest.NewOrder(user, "a")
	n.Points = 100
	o, err := shop.Store.CreateOrder(t.Context(), req, n)
	if err != nil {
		t.Fatal(err)
	}
	edit := ordertest.Request(user, "UpdateOrder")
	edit.ID = req.ID
	points := int64(200)
	edited, err := shop.Store.UpdateOrder(t.Context(), edit, postgres.OrderEdit{User: user, ID: o.ID, Points: &points})
	if err != nil || edited.Points != 200 {
		t.Fatalf("the id of the creation in an edit: %v, %v", edited, err)
	}
	ordertest.Check(t, shop.DB)
}

// After the retention an id is a new request; where its old effect forbids a
// second one the caller is told so, and not that something broke.
func TestAnIDThatComesAgainAfterTheRetentionIsGoneWhereItHadAnEffect(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 5)
	user := uuid.New()
	shop.Points(t, user, 500)
	paid, next := shop.Order(t, user, "a"), shop.Order(t, user, "a")
	pay, edit := ordertest.PayRequest(user), ordertest.Request(user, "UpdateOrder")
	points := []int64{100, 200}
	if _, err := shop.Pay(t.Context(), pay, paid, "card"); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.Store.UpdateOrder(t.Context(), edit, postgres.OrderEdit{User: user, ID: next.ID, Points: &points[0]}); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.DB.Exec(t.Context(), `DELETE FROM idempotency_keys`); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.Pay(t.Context(), pay, next, "card"); !errors.Is(err, idempotency.ErrGone) {
		t.Errorf("a payment: %v", err)
	}
	if _, err := shop.Store.UpdateOrder(t.Context(), edit, postgres.OrderEdit{User: user, ID: next.ID, Points: &points[1]}); !errors.Is(err, idempotency.ErrGone) {
		t.Errorf("an edit: %v", err)
	}
	if got := shop.Read(t, next); got.State != order.PendingPayment || got.Points != 100 {
		t.Errorf("a second effect: %+v", got)
	}
}
