package orderview

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	naive "github.com/curfew-platform/curfew/e2e/naive/orderview"
	"github.com/curfew-platform/curfew/e2e/stand"
	"github.com/curfew-platform/curfew/e2e/story"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

const (
	pageSize  = 100
	fullLimit = 5 // statements of a FULL page
	lastPiece = 50
	clients   = 64
)

// Tell runs the story.
func Tell(ctx context.Context, out io.Writer, s *stand.Stand) error {
	t := story.Begin(out, "Story 3: the 1,000-line order view")
	t.Sayf("a customer with %d orders opens the list; how many SQL statements does the page cost?", pageSize)
	conn, err := stand.Dial(s.Orders[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	sh, err := open(ctx, s, conn, 20, 1000)
	if err != nil {
		return err
	}
	if err := sh.orders(ctx, pageSize); err != nil {
		return err
	}
	if err := compare(ctx, s, t, sh); err != nil {
		return err
	}
	sold, err := sellOut(ctx, sh)
	if err != nil {
		return err
	}
	t.Oursf(sold == lastPiece, "%d clients at once on the last %d pieces: %d orders", clients, lastPiece, sold)
	return t.End()
}

// compare counts the statements of both ways on the same rows. The replica
// that only reads has the owner's role to itself, so that the statistics of
// that role are this page and nothing else.
func compare(ctx context.Context, s *stand.Stand, t *story.Story, sh *shop) error {
	db, err := stand.Connect(ctx, s.OrdersOwner)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	replica, err := s.StartService(ctx, "orders", []string{"CURFEW_ORDERS_DATABASE_URL=" + s.OrdersOwner}, "--serve", "query")
	if err != nil {
		return err
	}
	defer replica.Kill()
	conn, err := stand.Dial(replica.GRPC)
	if err != nil {
		return err
	}
	defer conn.Close()
	queries := ordersv1.NewOrderQueryServiceClient(conn)

	var shown []naive.Order
	old, err := cost(ctx, db, func() (err error) {
		shown, err = naive.List(ctx, db, strings.TrimPrefix(sh.user.Name, "users/"), pageSize)
		return err
	})
	if err != nil {
		return err
	}
	if len(shown) != pageSize {
		return fmt.Errorf("the old view shows %d orders", len(shown))
	}
	t.Oldf(old >= 10*pageSize/2, "one query an order and a line: %d orders, %d statements", len(shown), old)

	rows := [][]string{{"view", "orders", "statements"}, {"N+1", fmt.Sprint(pageSize), fmt.Sprint(old)}}
	for _, view := range []struct {
		view  ordersv1.OrderView
		limit int64
	}{{ordersv1.OrderView_ORDER_VIEW_BASIC, 1}, {ordersv1.OrderView_ORDER_VIEW_FULL, fullLimit}} {
		for _, size := range []int{1, 10, pageSize} {
			var n int
			got, err := cost(ctx, db, func() (err error) {
				n, err = sh.list(ctx, queries, view.view, size)
				return err
			})
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(view.view.String(), "ORDER_VIEW_")
			rows = append(rows, []string{name, fmt.Sprint(n), fmt.Sprint(got)})
			t.Oursf(n == size && got > 0 && got <= view.limit, "%s: %d orders, %d statements (limit %d)", name, n, got, view.limit)
		}
	}
	t.Table(rows...)
	_, _, err = replica.Stop(10 * time.Second)
	return err
}

// sellOut lets 64 clients buy the last 50 pieces of a product and returns how
// many got one.
func sellOut(ctx context.Context, sh *shop) (int64, error) {
	sku, err := sh.stock(ctx, "The last ones", lastPiece)
	if err != nil {
		return 0, err
	}
	var sold atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range clients {
		g.Go(func() error {
			err := sh.order(ctx, sku)
			switch {
			case err == nil:
				sold.Add(1)
			case stand.Reason(err) != "OUT_OF_STOCK":
				return fmt.Errorf("buy: %w", err)
			}
			return nil
		})
	}
	err = g.Wait()
	return sold.Load(), err
}
