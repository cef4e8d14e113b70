package postgres_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// Commands reach rows by their keys from the first order on, when the tables
// are small and nothing has counted them: the plans of a connection live longer
// than that, and no execution pays for a plan of its own. Triggers and foreign keys are among what is counted here.
func TestCommandsReadNoTableWhole(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Products(t, 4, 1000, 100)
	user := uuid.New()
	shop.Points(t, user, 1000)
	for range 10 {
		n := ordertest.NewOrder(user, ordertest.SKU(0), ordertest.SKU(1))
		n.Points = 10
		o, err := shop.Store.CreateOrder(t.Context(), ordertest.Request(user, "CreateOrder"), n)
		if err != nil {
			t.Fatal(err)
		}
		points := int64(20)
		edit := postgres.OrderEdit{User: user, ID: o.ID, Points: &points, Wishes: []order.Wish{{SKU: ordertest.SKU(2), Quantity: 2}, {SKU: ordertest.SKU(0), Quantity: 1}}}
		if _, err := shop.Store.UpdateOrder(t.Context(), ordertest.Request(user, "UpdateOrder"), edit); err != nil {
			t.Fatal(err)
		}
		if _, err := shop.Pay(t.Context(), ordertest.PayRequest(user), o, "card"); err != nil {
			t.Fatal(err)
		}
		if _, err := shop.Store.CancelOrder(t.Context(), ordertest.Request(user, "CancelOrder"), postgres.Cancellation{User: user, Order: o.ID}); err != nil {
			t.Fatal(err)
		}
		shop.Settle(t)
	}
	var custom int
	if err := shop.Store.Pools()["orders"].QueryRow(t.Context(), `SELECT coalesce(sum(custom_plans), 0) FROM pg_prepared_statements`).Scan(&custom); err != nil || custom > 0 {
		t.Errorf("%d executions were planned for their arguments, %v", custom, err)
	}
	// A backend reports what it counted when it ends at the latest.
	shop.Store.Close()
	shop.Until(t, `SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'orders%'`)
	rows, err := shop.DB.Query(t.Context(), `SELECT relname, seq_scan, coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname NOT LIKE 'simulated%' AND relname NOT LIKE 'goose%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var indexed int64
	for rows.Next() {
		var table string
		var whole, byIndex int64
		if err := rows.Scan(&table, &whole, &byIndex); err != nil {
			t.Fatal(err)
		}
		indexed += byIndex
		if whole > 0 {
			t.Errorf("%s was read whole %d times", table, whole)
		}
	}
	if rows.Err() != nil || indexed == 0 {
		t.Errorf("%d reads by index, %v", indexed, rows.Err())
	}
}
