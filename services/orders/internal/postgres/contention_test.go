package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// together runs f n times at once.
func together(n int, f func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

func TestSixtyFourClientsOnTheLastFiftyPiecesMakeFiftyOrders(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 50)
	var made, refused atomic.Int32
	together(64, func(int) {
		user := uuid.New()
		_, err := shop.Store.CreateOrder(context.Background(), ordertest.Request(user, "CreateOrder"), ordertest.NewOrder(user, "a"))
		if _, short := errors.AsType[*order.OutOfStock](err); short {
			refused.Add(1)
		} else if err != nil {
			t.Error(err)
		} else {
			made.Add(1)
		}
	})
	if made.Load() != 50 || refused.Load() != 14 || shop.Reserved(t, "a") != 50 {
		t.Errorf("%d orders, %d refused, %d reserved", made.Load(), refused.Load(), shop.Reserved(t, "a"))
	}
	ordertest.Check(t, shop.DB)
}

// Rows of stock are locked in one order, whatever the order of the lines; so
// are the classes of rows, in creating and in giving back: points before stock.
func TestOrdersOverTheSameProductsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	for name, points := range map[string]int64{"stock only": 0, "points and stock": 5} {
		shop := ordertest.NewShop(t)
		fill(t, shop, uuid.New()) // a catalog of some size: the plans are those of a real one
		shop.Products(t, 4, 10, 1_000_000)
		user := uuid.New()
		shop.Points(t, user, 1_000_000)
		together(16, func(i int) {
			for round := range 10 {
				n := ordertest.NewOrder(user)
				n.Points, n.Wishes = points, wishes(i%2 == 0)
				o, err := shop.Store.CreateOrder(context.Background(), ordertest.Request(user, "CreateOrder"), n)
				if err == nil && round%2 == 0 {
					_, err = shop.Store.CancelOrder(context.Background(), ordertest.Request(user, "CancelOrder"), postgres.Cancellation{User: user, Order: o.ID})
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
		var deadlocks int64
		if err := shop.DB.QueryRow(t.Context(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&deadlocks); err != nil {
			t.Fatal(err)
		}
		if deadlocks != 0 {
			t.Errorf("%s: %d deadlocks", name, deadlocks)
		}
	}
}

// wishes is one unit of each of four products, forwards or backwards.
func wishes(backwards bool) []order.Wish {
	var out []order.Wish
	for k := range 4 {
		if backwards {
			k = 3 - k
		}
		out = append(out, order.Wish{SKU: ordertest.SKU(k), Quantity: 1})
	}
	return out
}

func TestTwinsOfARequestHaveOneEffectAndTheSameAnswer(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 100)
	for range 5 {
		user := uuid.New()
		req := ordertest.Request(user, "CreateOrder")
		var mu sync.Mutex
		ids := map[uuid.UUID]bool{}
		together(8, func(int) {
			o, err := shop.Store.CreateOrder(context.Background(), req, ordertest.NewOrder(user, "a"))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[o.ID] = true
		})
		if len(ids) != 1 {
			t.Errorf("%d orders", len(ids))
		}
	}
	if got := shop.Reserved(t, "a"); got != 5 {
		t.Errorf("%d reserved", got)
	}
	ordertest.Check(t, shop.DB)
}

// A transition looks at the state in the transaction that writes: stock and
// points are given back once.
func TestConcurrentCancellationsGiveBackOnce(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 5)
	o := shop.Order(t, uuid.New(), "a")
	var cancelled, refused atomic.Int32
	together(8, func(int) {
		_, err := shop.Store.CancelOrder(context.Background(), ordertest.Request(o.User, "CancelOrder"), postgres.Cancellation{User: o.User, Order: o.ID})
		if _, illegal := errors.AsType[*order.IllegalTransition](err); illegal {
			refused.Add(1)
		} else if err != nil {
			t.Error(err)
		} else {
			cancelled.Add(1)
		}
	})
	if cancelled.Load() != 1 || refused.Load() != 7 || shop.Reserved(t, "a") != 0 {
		t.Errorf("%d cancelled, %d refused", cancelled.Load(), refused.Load())
	}
	ordertest.Check(t, shop.DB)
}

// Points are not overdrawn by orders at once.
func TestPointsAreSpentOnce(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 1000)
	user := uuid.New()
	shop.Points(t, user, 500)
	var made, refused atomic.Int32
	together(16, func(int) {
		n := ordertest.NewOrder(user, "a")
		n.Points = 100
		_, err := shop.Store.CreateOrder(context.Background(), ordertest.Request(user, "CreateOrder"), n)
		if few, ok := errors.AsType[*order.InsufficientPoints](err); ok {
			refused.Add(1)
			if few.Available >= 100 {
				t.Errorf("refused with %d left", few.Available)
			}
		} else if err != nil {
			t.Error(err)
		} else {
			made.Add(1)
		}
	})
	if made.Load() != 5 || refused.Load() != 11 {
		t.Errorf("%d orders, %d refused", made.Load(), refused.Load())
	}
	ordertest.Check(t, shop.DB)
}

// A transaction that loses a deadlock runs again, three times at most.
func TestALostTransactionRunsAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		losses int
		want   error
	}{{0, nil}, {3, nil}, {4, order.ErrContention}} {
		shop := ordertest.NewShop(t)
		shop.Product(t, "a", 1000, 5)
		// Deadlocks come from the trigger of the first c.losses inserts.
		_, err := shop.DB.Exec(t.Context(), fmt.Sprintf(`CREATE SEQUENCE losses;
			CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('losses') <= %d THEN RAISE EXCEPTION 'lost' USING ERRCODE = '40P01'; END IF; RETURN NEW; END $$;
			CREATE TRIGGER lose BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION lose()`, c.losses))
		if err != nil {
			t.Fatal(err)
		}
		user := uuid.New()
		_, err = shop.Store.CreateOrder(t.Context(), ordertest.Request(user, "CreateOrder"), ordertest.NewOrder(user, "a"))
		if !errors.Is(err, c.want) {
			t.Errorf("%d losses: %v", c.losses, err)
		}
		ordertest.Check(t, shop.DB)
	}
}
