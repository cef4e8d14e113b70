package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/payment/simulated"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// The database itself refuses what no code of the service would do: another
// program, a person at a prompt, a bug. Each statement runs as superuser
// against one pending, one paying and one confirmed order, in a transaction
// that would commit.
func TestTheDatabaseRefuses(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Products(t, 2, 1000, 50)
	user := uuid.New()
	shop.Points(t, user, 1000)
	withPoints := ordertest.NewOrder(user, ordertest.SKU(0), ordertest.SKU(1))
	withPoints.Points = 100
	pending, err := shop.Store.CreateOrder(t.Context(), ordertest.Request(user, "CreateOrder"), withPoints)
	if err != nil {
		t.Fatal(err)
	}
	paying, confirmed := shop.Order(t, user, ordertest.SKU(0)), shop.Order(t, user, ordertest.SKU(0))
	if _, err := shop.Pay(t.Context(), ordertest.PayRequest(user), paying, simulated.TokenAnswerLost); err != nil {
		t.Fatal(err)
	}
	if o, err := shop.Pay(t.Context(), ordertest.PayRequest(user), confirmed, "card"); err != nil || o.State != order.Confirmed {
		t.Fatal(o, err)
	}
	const guard, check, unique = "CF001", "23514", "23505"
	for _, c := range []struct{ rule, state, sql string }{
		{"D4: a customer cancelling in PAYING, which is for staff", guard, `UPDATE orders SET state = 8, version = version + 1, last_action = 'CancelOrder', last_actor = 'customer' WHERE order_id = '@paying'`},
		{"D4: an action that has no row, though the pair of states has one", guard, `UPDATE orders SET state = 9, version = version + 1, last_action = 'payment.expired', last_actor = 'system' WHERE order_id = '@pending'`},
		{"D5: an order born in CONFIRMED", guard, bornConfirmed(pending.ID)},
		{"D5: a version that jumps", guard, `UPDATE orders SET version = version + 2, last_action = 'UpdateOrder', last_actor = 'customer' WHERE order_id = '@pending'`},
		{"D5: a version that stays", guard, `UPDATE orders SET customer_note = 'x', last_action = 'UpdateOrder', last_actor = 'customer' WHERE order_id = '@pending'`},
		{"D5: a deleted order", guard, `DELETE FROM orders WHERE order_id = '@pending'`},
		{"D6: an amount changed after CONFIRMED", guard, `UPDATE orders SET items_minor = 1, state = 8, version = version + 1, last_action = 'CancelOrder', last_actor = 'staff' WHERE order_id = '@confirmed'`},
		{"D6: an address changed while PAYING", guard, `UPDATE orders SET shipping_address = '{}', state = 8, version = version + 1, last_action = 'CancelOrder', last_actor = 'staff' WHERE order_id = '@paying'`},
		{"D6: a line changed after CONFIRMED", guard, `UPDATE order_items SET qty = 9 WHERE order_id = '@confirmed'`},
		{"D6: a line deleted while PAYING", guard, `DELETE FROM order_items WHERE order_id = '@paying'`},
		{"D6: a line added after CONFIRMED", guard, `INSERT INTO order_items VALUES ('@confirmed', 7, 'x', 'x', 1, 1)`},
		{"a line moved to another order", guard, `UPDATE order_items SET order_id = '@confirmed' WHERE order_id = '@pending' AND line_no = 0`},
		{"the owner of an order changed", guard, `UPDATE orders SET user_id = gen_random_uuid(), version = version + 1, last_action = 'UpdateOrder', last_actor = 'customer' WHERE order_id = '@pending'`},
		{"D7: a captured payment set back", guard, `UPDATE payments SET state = 'authorizing', captured_minor = 0 WHERE order_id = '@confirmed'`},
		{"D7: captured without an amount", check, `UPDATE payments SET state = 'capturing' WHERE order_id = '@paying'; UPDATE payments SET state = 'captured' WHERE order_id = '@paying'`},
		{"D7: a payment born captured", guard, `INSERT INTO payments SELECT gen_random_uuid(), order_id, 'captured', currency, amount_minor, captured_minor, 0, 0, provider, method_token, principal, gen_random_uuid() FROM payments WHERE order_id = '@confirmed'`},
		{"D7: a refund born succeeded", guard, `INSERT INTO refunds SELECT gen_random_uuid(), order_id, payment_id, 1, 'succeeded' FROM payments WHERE order_id = '@confirmed'`},
		{"no over-refund", check, `UPDATE payments SET refund_held_minor = captured_minor + 1 WHERE order_id = '@confirmed'`},
		{"D8: a void beside an open authorization", unique, `INSERT INTO payment_attempts SELECT gen_random_uuid(), payment_id, NULL, 'void', 1, 'in_flight', 0, now() FROM payments WHERE order_id = '@paying'`},
		{"a closed attempt opened again", guard, `UPDATE payment_attempts SET state = 'indeterminate' WHERE state = 'succeeded'`},
		{"a second live payment of an order", unique, `INSERT INTO payments SELECT gen_random_uuid(), order_id, 'authorizing', currency, amount_minor, 0, 0, 0, provider, method_token, principal, gen_random_uuid() FROM payments WHERE order_id = '@confirmed'`},
		{"D9: two pending redemptions of an order", unique, `INSERT INTO ledger_transfers SELECT gen_random_uuid(), debit, credit, amount, kind, order_id, gen_random_uuid(), state FROM ledger_transfers WHERE order_id = '@pending'`},
		{"D10: a transfer with another amount", guard, `UPDATE ledger_transfers SET amount = 1 WHERE order_id = '@pending'`},
		{"D10: a posted transfer voided", guard, `UPDATE ledger_transfers SET state = 'voided' WHERE kind = 'grant'`},
		{"D10: a deleted transfer", guard, `DELETE FROM ledger_transfers WHERE order_id = '@pending'`},
		{"no overdraft of points", check, `UPDATE ledger_accounts SET pending_out = posted + 1 WHERE owner LIKE 'users/%'`},
		{"D12: units that come from nowhere", check, `UPDATE stock_reservations SET committed = committed + 1 WHERE order_id = '@pending'`},
		{"D12: a committed reservation deleted", guard, `DELETE FROM stock_reservations WHERE order_id = '@confirmed'`},
		{"D12: released units that come back", guard, `UPDATE stock_reservations SET released = qty, held = 0 WHERE order_id = '@pending'; UPDATE stock_reservations SET released = 0, held = qty WHERE order_id = '@pending'`},
		{"no oversell", check, `UPDATE stock_levels SET reserved = on_hand + 1`},
		{"D16: CONFIRMED without the money", guard, `UPDATE orders SET state = 3, version = version + 1, last_action = 'payment.succeeded', last_actor = 'system' WHERE order_id = '@paying'`},
		{"D16: EXPIRED with stock and points still held", guard, `UPDATE orders SET state = 10, version = version + 1, last_action = 'payment.expired', last_actor = 'system' WHERE order_id = '@pending'`},
		{"D16: CANCELLED with the money still here", guard, `UPDATE orders SET state = 8, version = version + 1, last_action = 'CancelOrder', last_actor = 'staff' WHERE order_id = '@confirmed'; UPDATE orders SET state = 9, version = version + 1, last_action = 'money.returned', last_actor = 'system' WHERE order_id = '@confirmed'`},
	} {
		sql := strings.NewReplacer("@pending", pending.ID.String(), "@paying", paying.ID.String(), "@confirmed", confirmed.ID.String()).Replace(c.sql)
		err := commit(t, shop, sql)
		if pe, ok := errors.AsType[*pgconn.PgError](err); !ok || pe.Code != c.state {
			t.Errorf("%s: want SQLSTATE %s, got %v", c.rule, c.state, err)
		}
	}
	ordertest.Check(t, shop.DB)
}

// bornConfirmed inserts a copy of an order in CONFIRMED.
func bornConfirmed(of uuid.UUID) string {
	const columns = `currency, items_minor, points, points_minor, item_count, unit_count, shipping_address, customer_note, preview, payment_expire_time, create_time, update_time`
	return `INSERT INTO orders (order_id, user_id, state, version, last_action, last_actor, ` + columns + `)
SELECT gen_random_uuid(), user_id, 3, 1, 'CreateOrder', 'customer', ` + columns + ` FROM orders WHERE order_id = '` + of.String() + `'`
}

// commit runs the statements in one transaction.
func commit(t *testing.T, shop *ordertest.Shop, sql string) error {
	t.Helper()
	return pgx.BeginFunc(context.Background(), shop.DB, func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), sql, pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// D6: an edit of the lines locks the order, so it cannot pass while a payment
// of the same order begins.
func TestAnEditOfLinesWaitsForAPaymentThatBegins(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 5)
	o := shop.Order(t, uuid.New(), "a")
	locked, release := make(chan struct{}), make(chan struct{})
	paid := make(chan error, 1)
	store := shop.Reopen(t, ordertest.WithConfig(func(c *postgres.Config) {
		c.Guard = func(context.Context) error { // asked right before the commit of transaction A
			close(locked)
			<-release
			return nil
		}
	}))
	go func() {
		_, _, err := store.BeginPayment(context.Background(), ordertest.PayRequest(o.User), postgres.NewPayment{User: o.User, Order: o.ID, MethodToken: "card"})
		paid <- err
	}()
	<-locked
	edited := make(chan error, 1)
	go func() {
		_, err := shop.DB.Exec(context.Background(), `UPDATE order_items SET qty = 2 WHERE order_id = $1`, o.ID)
		edited <- err
	}()
	shop.Until(t, ordertest.LockAwaited)
	close(release)
	if err := <-paid; err != nil {
		t.Fatal(err)
	}
	if err := <-edited; err == nil {
		t.Error("the lines of an order in PAYING were edited")
	}
	ordertest.Check(t, shop.DB)
}
