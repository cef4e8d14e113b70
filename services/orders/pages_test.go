package orders

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
)

func TestPagesGoThroughEveryOrderOnceNewestFirst(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Product(t, "a", 1000, 1000)
	user := uuid.New()
	for range 25 {
		a.Order(t, user, "a")
		a.Order(t, uuid.New(), "a")
	}
	customer, staff := a.as(t, user, "customer"), a.as(t, uuid.New(), "admin")
	for name, c := range map[string]struct {
		want int
		next func(token string) ([]*ordersv1.Order, string, error)
	}{
		"own": {25, func(token string) ([]*ordersv1.Order, string, error) {
			p, err := a.queries.ListOrders(customer, &ordersv1.ListOrdersRequest{Parent: "users/" + user.String(), PageSize: 10, PageToken: token, View: ordersv1.OrderView_ORDER_VIEW_FULL})
			return p.GetOrders(), p.GetNextPageToken(), err
		}},
		"all": {50, func(token string) ([]*ordersv1.Order, string, error) {
			p, err := a.queries.ListOrders(staff, &ordersv1.ListOrdersRequest{Parent: "users/-", PageSize: 10, PageToken: token})
			return p.GetOrders(), p.GetNextPageToken(), err
		}},
		"searched by state": {50, func(token string) ([]*ordersv1.Order, string, error) {
			p, err := a.admin.SearchOrders(staff, &ordersv1.SearchOrdersRequest{State: ordersv1.Order_STATE_PENDING_PAYMENT, PageSize: 10, PageToken: token})
			return p.GetOrders(), p.GetNextPageToken(), err
		}},
		"searched by user and time": {25, func(token string) ([]*ordersv1.Order, string, error) {
			p, err := a.admin.SearchOrders(staff, &ordersv1.SearchOrdersRequest{
				User: "users/" + user.String(), StartTime: timestamppb.New(time.Unix(0, 0)), EndTime: timestamppb.New(time.Unix(1<<33, 0)), PageSize: 10, PageToken: token,
			})
			return p.GetOrders(), p.GetNextPageToken(), err
		}},
		"searched in another time": {0, func(token string) ([]*ordersv1.Order, string, error) {
			p, err := a.admin.SearchOrders(staff, &ordersv1.SearchOrdersRequest{EndTime: timestamppb.New(time.Unix(1, 0)), PageToken: token})
			return p.GetOrders(), p.GetNextPageToken(), err
		}},
	} {
		seen := map[string]bool{}
		last := time.Now().Add(time.Hour)
		for token, page := "", 0; page == 0 || token != ""; page++ {
			orders, next, err := c.next(token)
			if err != nil || len(orders) > 10 {
				t.Fatalf("%s: page %d: %d orders, %v", name, page, len(orders), err)
			}
			for _, o := range orders {
				if seen[o.GetName()] || o.GetCreateTime().AsTime().After(last) {
					t.Errorf("%s: %s again or out of order", name, o.GetName())
				}
				seen[o.GetName()], last = true, o.GetCreateTime().AsTime()
			}
			token = next
		}
		if len(seen) != c.want {
			t.Errorf("%s: %d orders, want %d", name, len(seen), c.want)
		}
	}
}

func TestAPageTokenOfAnotherListCallerOrMakingIsRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Products(t, 3, 1000, 1000)
	user, other := uuid.New(), uuid.New()
	for range 3 {
		a.Order(t, user, ordertest.SKU(0))
		a.Order(t, other, ordertest.SKU(0))
	}
	customer, admin := a.as(t, user, "customer"), a.as(t, uuid.New(), "admin")
	list := func(r *ordersv1.ListOrdersRequest) *ordersv1.ListOrdersRequest {
		r.PageSize = 1
		return r
	}
	first, err := a.queries.ListOrders(customer, list(&ordersv1.ListOrdersRequest{Parent: "users/" + user.String()}))
	if err != nil {
		t.Fatal(err)
	}
	token := first.GetNextPageToken()
	changed := []byte(token)
	changed[len(changed)/2] ^= 1
	products, err := a.catalog.ListProducts(customer, &ordersv1.ListProductsRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	stats, err := a.stats.QueryOrderStats(admin, statsRequest())
	if err != nil || stats.GetNextPageToken() != "" {
		t.Fatalf("one row of statistics: %v, %v", stats, err)
	}
	for name, call := range map[string]func() error{
		"with one bit changed": do(customer, a.queries.ListOrders, list(&ordersv1.ListOrdersRequest{Parent: "users/" + user.String(), PageToken: string(changed)})),
		"cut off":              do(customer, a.queries.ListOrders, list(&ordersv1.ListOrdersRequest{Parent: "users/" + user.String(), PageToken: token[:len(token)-4]})),
		"garbage":              do(customer, a.queries.ListOrders, list(&ordersv1.ListOrdersRequest{Parent: "users/" + user.String(), PageToken: "garbage"})),
		"of another view":      do(customer, a.queries.ListOrders, list(&ordersv1.ListOrdersRequest{Parent: "users/" + user.String(), PageToken: token, View: ordersv1.OrderView_ORDER_VIEW_FULL})),
		"of another caller":    do(admin, a.queries.ListOrders, list(&ordersv1.ListOrdersRequest{Parent: "users/" + user.String(), PageToken: token})),
		"of another user":      do(admin, a.queries.ListOrders, list(&ordersv1.ListOrdersRequest{Parent: "users/" + other.String(), PageToken: token})),
		"of another method":    do(customer, a.catalog.ListProducts, &ordersv1.ListProductsRequest{PageToken: token}),
		"of products":          do(customer, a.queries.ListOrders, list(&ordersv1.ListOrdersRequest{Parent: "users/" + user.String(), PageToken: products.GetNextPageToken()})),
		"in a search":          do(admin, a.admin.SearchOrders, &ordersv1.SearchOrdersRequest{PageToken: token}),
		"in statistics":        do(admin, a.stats.QueryOrderStats, withPage(statsRequest(), token)),
	} {
		a.Statements.Take()
		err := call()
		sql, _ := a.Statements.Take()
		if status.Code(err) != codes.InvalidArgument || status.Reason(err) != "PAGE_TOKEN_INVALID" || len(sql) != 0 {
			t.Errorf("a token %s: %d statements, %v", name, len(sql), err)
		}
	}
}

func withPage(r *ordersv1.QueryOrderStatsRequest, token string) *ordersv1.QueryOrderStatsRequest {
	r.PageToken = token
	return r
}

func TestProductsComeInPages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Products(t, 7, 1000, 5)
	ctx := a.as(t, uuid.New(), "customer")
	var names []string
	for token, page := "", 0; page == 0 || token != ""; page++ {
		p, err := a.catalog.ListProducts(ctx, &ordersv1.ListProductsRequest{PageSize: 3, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range p.GetProducts() {
			names = append(names, x.GetName())
		}
		token = p.GetNextPageToken()
	}
	want := make([]string, 7)
	for i := range want {
		want[i] = "products/" + ordertest.SKU(i)
	}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("got %v", names)
	}
}
