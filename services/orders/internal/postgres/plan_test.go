package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// fill makes many orders without the service: plans need tables of some size.
func fill(t *testing.T, shop *ordertest.Shop, user uuid.UUID) {
	t.Helper()
	unguardedSQL := fmt.Sprintf(`SET session_replication_role = replica;
INSERT INTO orders (order_id, user_id, state, version, last_action, last_actor, currency, items_minor, points, points_minor, item_count, unit_count, shipping_address, customer_note, preview, payment_expire_time, create_time, update_time)
SELECT gen_random_uuid(), CASE WHEN g %% 50 = 0 THEN '%s'::uuid ELSE gen_random_uuid() END, (ARRAY[1, 3, 3, 3, 9, 10])[g %% 6 + 1], 1, 'CreateOrder', 'customer', 'EUR', 1000, 0, 0, 1, 1, '{}', '', '[]', now(), now() - g * interval '1 minute', now()
FROM generate_series(1, 20000) g;
INSERT INTO order_items (order_id, line_no, sku, title, qty, unit_minor) SELECT order_id, 0, 'a', 'A', 1, 1000 FROM orders;
INSERT INTO stock_reservations (order_id, sku, bucket, qty, held) SELECT order_id, 'a', 0, 1, 1 FROM orders;
INSERT INTO payments (payment_id, order_id, state, currency, amount_minor, provider, method_token, principal, request_id)
SELECT gen_random_uuid(), order_id, 'failed', 'EUR', 1000, 'x', 'x', 'x', gen_random_uuid() FROM orders;
INSERT INTO refunds (refund_id, order_id, payment_id, amount_minor, state) SELECT gen_random_uuid(), order_id, payment_id, 1, 'failed' FROM payments;
INSERT INTO products (sku, title, currency, unit_minor, sellable) SELECT 'sku-' || g, 'x', 'EUR', 1, true FROM generate_series(1, 5000) g;
INSERT INTO stock_levels (sku, on_hand) SELECT sku, 10 FROM products;
RESET session_replication_role; ANALYZE`, user)
	if _, err := shop.DB.Exec(t.Context(), unguardedSQL); err != nil {
		t.Fatal(err)
	}
}

// Every list reads an index in its order: no sort, no sequential scan, and no
// more rows than the page has.
func TestListsReadAnIndexInOrder(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	user := uuid.New()
	fill(t, shop, user)
	after := postgres.Position{Time: time.Now().Add(-100 * time.Hour), Order: uuid.New()}
	ctx := context.Background()
	for name, list := range map[string]func() error{
		"orders of a user, first page": func() error { _, err := shop.Store.ListOrders(ctx, &user, postgres.Position{}, 50, false); return err },
		"orders of a user, later page": func() error { _, err := shop.Store.ListOrders(ctx, &user, after, 50, false); return err },
		"orders of a user, full":       func() error { _, err := shop.Store.ListOrders(ctx, &user, after, 50, true); return err },
		"orders of all":                func() error { _, err := shop.Store.ListOrders(ctx, nil, after, 50, false); return err },
		"search without a condition": func() error {
			_, err := shop.Store.SearchOrders(ctx, postgres.Search{}, after, 50)
			return err
		},
		"search by state": func() error {
			_, err := shop.Store.SearchOrders(ctx, postgres.Search{State: order.Expired}, after, 50)
			return err
		},
		"search by user and state": func() error {
			_, err := shop.Store.SearchOrders(ctx, postgres.Search{User: &user, State: order.Confirmed}, after, 50)
			return err
		},
		"search by time": func() error {
			_, err := shop.Store.SearchOrders(ctx, postgres.Search{From: time.Now().Add(-200 * time.Hour), Until: time.Now().Add(-150 * time.Hour)}, postgres.Position{}, 50)
			return err
		},
		"products": func() error { _, _, err := shop.Store.ListProducts(ctx, "sku-2", 50); return err },
	} {
		shop.Statements.Take()
		if err := list(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, call := range shop.Statements.Calls() {
			p := explain(t, shop, call)
			for _, bad := range []string{"Sort", "Seq Scan", "Incremental Sort"} {
				if strings.Contains(p.nodes, bad) {
					t.Errorf("%s: the plan has a %s: %s\n%s", name, bad, p.nodes, call.SQL)
				}
			}
			if !strings.Contains(p.nodes, "Index") || p.scanned > 60 {
				t.Errorf("%s: %d rows scanned by %s\n%s", name, p.scanned, p.nodes, call.SQL)
			}
		}
	}
}

// plan is what matters of a plan: its nodes, and the most rows that one read
// from a table in a loop.
type plan struct {
	nodes   string
	scanned int
}

func explain(t *testing.T, shop *ordertest.Shop, call ordertest.Call) plan {
	t.Helper()
	var out []byte
	if err := shop.DB.QueryRow(context.Background(), "EXPLAIN (ANALYZE, FORMAT JSON) "+call.SQL, call.Args...).Scan(&out); err != nil {
		t.Fatalf("%s: %v", call.SQL, err)
	}
	var trees []struct{ Plan map[string]any }
	if err := json.Unmarshal(out, &trees); err != nil {
		t.Fatal(err)
	}
	var p plan
	p.walk(trees[0].Plan)
	return p
}

func (p *plan) walk(node map[string]any) {
	kind, _ := node["Node Type"].(string)
	p.nodes += " > " + kind
	if strings.Contains(kind, "Scan") {
		rows, _ := node["Actual Rows"].(float64)
		removed, _ := node["Rows Removed by Filter"].(float64)
		p.scanned = max(p.scanned, int(rows), int(removed)/10)
	}
	children, _ := node["Plans"].([]any)
	for _, c := range children {
		child, _ := c.(map[string]any)
		p.walk(child)
	}
}

// What takes locks in order reads an index too: a scan of the whole stock
// would make every order wait for every other one.
func TestLockingStockReadsAnIndex(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	user := uuid.New()
	fill(t, shop, user)
	o := shop.Order(t, user, "sku-7", "sku-9")
	shop.Statements.Take()
	e := postgres.OrderEdit{User: user, ID: o.ID, Wishes: []order.Wish{{SKU: "sku-9", Quantity: 1}, {SKU: "sku-11", Quantity: 2}}}
	if _, err := shop.Store.UpdateOrder(t.Context(), ordertest.Request(user, "UpdateOrder"), e); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.Store.CancelOrder(t.Context(), ordertest.Request(user, "CancelOrder"), postgres.Cancellation{User: user, Order: o.ID}); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, call := range shop.Statements.Calls() {
		if strings.Contains(call.SQL, "FROM stock_levels") && strings.Contains(call.SQL, "FOR NO KEY UPDATE") {
			seen++
			if p := explain(t, shop, call); strings.Contains(p.nodes, "Seq Scan") {
				t.Errorf("%s\n%s", call.SQL, p.nodes)
			}
		}
	}
	if seen != 3 {
		t.Errorf("%d statements lock stock", seen)
	}
}
