package postgres_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

func TestAnOrderThatCannotExpireKeepsNoOtherFromIt(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t, ordertest.WithConfig(func(c *postgres.Config) { c.PaymentWindow = 1 }))
	shop.Product(t, "a", 1000, 5)
	stuck, second, next := shop.Order(t, uuid.New(), "a"), shop.Order(t, uuid.New(), "a"), shop.Order(t, uuid.New(), "a")
	_, err := shop.DB.Exec(t.Context(), fmt.Sprintf(`
		CREATE FUNCTION stick() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.order_id IN ('%s', '%s') THEN RAISE EXCEPTION 'stuck'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER stick BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION stick()`, stuck.ID, second.ID))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := shop.Store.ExpireOrders(t.Context(), 10); n != 1 || err == nil {
		t.Errorf("expired %d, %v", n, err)
	}
	if got := shop.Read(t, next); got.State != order.Expired {
		t.Errorf("the order behind it is in %v", got.State)
	}
	ordertest.Check(t, shop.DB)
}

// A database that answers others is not away: nobody is asked to try again.
func TestStatisticsThatTakeTooLongAreNotAnUnavailableDatabase(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t, ordertest.WithConfig(func(c *postgres.Config) { c.StatsTimeout = 50 * time.Millisecond }))
	tx, err := shop.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // Nothing is written.
	if _, err := tx.Exec(t.Context(), `LOCK TABLE stats_hours`); err != nil {
		t.Fatal(err)
	}
	_, err = shop.Store.QueryStats(t.Context(), postgres.StatsQuery{Until: time.Now(), Bucket: "day"}, postgres.StatsPosition{}, 10)
	if !errors.Is(err, order.ErrTooLong) || errors.Is(err, order.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
