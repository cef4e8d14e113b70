package postgres_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

func TestTheFiguresSayWhatWaitsAndSinceWhen(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	if f, err := shop.Store.Figures(t.Context()); err != nil || f != (postgres.Figures{}) {
		t.Errorf("of an empty shop: %+v, %v", f, err)
	}
	shop.Products(t, 1, 1000, 10)
	user := uuid.New()
	o := shop.Order(t, user, ordertest.SKU(0))
	if _, _, err := shop.Store.BeginPayment(t.Context(), ordertest.PayRequest(user), postgres.NewPayment{Order: o.ID, User: user, MethodToken: "card"}); err != nil {
		t.Fatal(err)
	}
	f, err := shop.Store.Figures(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f.Outbox < 1 || f.OutboxAge <= 0 || f.OutboxAge > time.Minute || f.InFlight != 1 || f.Indeterminate != 0 || f.PaymentAge <= 0 || f.PaymentAge > f.OutboxAge {
		t.Errorf("got %+v", f)
	}
	if _, err := shop.DB.Exec(t.Context(), `UPDATE payment_attempts SET state = 'indeterminate'`); err != nil {
		t.Fatal(err)
	}
	if f, err := shop.Store.Figures(t.Context()); err != nil || f.InFlight != 0 || f.Indeterminate != 1 {
		t.Errorf("got %+v, %v", f, err)
	}
}
