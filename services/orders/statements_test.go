package orders

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
)

// Every RPC has its number of statements and of round trips, BEGIN and COMMIT
// included. A change of a number here is a decision, not an accident.
func TestEveryMethodSendsItsNumberOfStatements(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Products(t, 100, 1000, 100000)
	user := uuid.New()
	a.Points(t, user, 10000)
	customer, staff := a.as(t, user, "customer"), a.as(t, uuid.New(), "admin")
	made := func(lines int) *ordersv1.Order {
		o, err := a.commands.CreateOrder(customer, createRequest(user, skus(lines)...))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	paid := func() *ordersv1.Order {
		o := made(1)
		o, err := a.commands.PayOrder(customer, &ordersv1.PayOrderRequest{Name: o.GetName(), PaymentMethodToken: "card", RequestId: uuid.NewString()})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for range 3 {
		made(5)
	}
	one, hundred, toEdit, toPay, toCancel, toRefund := made(1), made(100), made(5), made(2), made(2), paid()
	withPoints := createRequest(user, skus(3)...)
	withPoints.Order.RedeemedPoints = 10
	repeated := createRequest(user, skus(3)...)
	if _, err := a.commands.CreateOrder(customer, repeated); err != nil {
		t.Fatal(err)
	}
	edited := &ordersv1.UpdateOrderRequest{
		Order: createRequest(user, skus(7)...).GetOrder(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"line_items"}}, RequestId: uuid.NewString(),
	}
	edited.Order.Name = toEdit.GetName()
	noted := &ordersv1.UpdateOrderRequest{
		Order: &ordersv1.Order{Name: toEdit.GetName(), CustomerNote: "ring twice"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"customer_note"}}, RequestId: uuid.NewString(),
	}
	hour := timestamppb.New(time.Now().Add(-time.Hour))
	soon := timestamppb.New(time.Now().Add(time.Hour))
	for _, c := range []struct {
		name              string
		statements, trips int
		call              func() error
	}{
		{"CreateOrder, 1 line", 12, 3, do(customer, a.commands.CreateOrder, createRequest(user, skus(1)...))},
		{"CreateOrder, 100 lines", 12, 3, do(customer, a.commands.CreateOrder, createRequest(user, skus(100)...))},
		{"CreateOrder with points", 13, 3, do(customer, a.commands.CreateOrder, withPoints)},
		{"CreateOrder, repeated", 5, 3, do(customer, a.commands.CreateOrder, repeated)},
		{"UpdateOrder, lines", 17, 8, do(customer, a.commands.UpdateOrder, edited)},
		{"UpdateOrder, note", 8, 7, do(customer, a.commands.UpdateOrder, noted)},
		{"PayOrder", 31, 25, do(customer, a.commands.PayOrder, &ordersv1.PayOrderRequest{Name: toPay.GetName(), PaymentMethodToken: "card", RequestId: uuid.NewString()})},
		{"CancelOrder, unpaid", 12, 7, do(customer, a.commands.CancelOrder, &ordersv1.CancelOrderRequest{Name: toCancel.GetName(), RequestId: uuid.NewString()})},
		{"CancelOrder, paid", 13, 10, do(customer, a.commands.CancelOrder, &ordersv1.CancelOrderRequest{Name: toRefund.GetName(), RequestId: uuid.NewString()})},
		{"GetOrder BASIC", 1, 1, do(customer, a.queries.GetOrder, &ordersv1.GetOrderRequest{Name: one.GetName(), View: ordersv1.OrderView_ORDER_VIEW_BASIC})},
		{"GetOrder FULL", 4, 1, do(customer, a.queries.GetOrder, &ordersv1.GetOrderRequest{Name: hundred.GetName()})},
		{"ListOrders BASIC", 1, 1, do(customer, a.queries.ListOrders, &ordersv1.ListOrdersRequest{Parent: "users/" + user.String()})},
		{"ListOrders FULL", 4, 1, do(customer, a.queries.ListOrders, &ordersv1.ListOrdersRequest{Parent: "users/" + user.String(), View: ordersv1.OrderView_ORDER_VIEW_FULL})},
		{"ListOrders of all", 1, 1, do(staff, a.queries.ListOrders, &ordersv1.ListOrdersRequest{Parent: "users/-"})},
		{"SearchOrders", 1, 1, do(staff, a.admin.SearchOrders, &ordersv1.SearchOrdersRequest{State: ordersv1.Order_STATE_CONFIRMED})},
		{"GrantPoints", 6, 5, do(staff, a.admin.GrantPoints, &ordersv1.GrantPointsRequest{Parent: "users/" + user.String(), Points: 5, RequestId: uuid.NewString()})},
		{"QueryOrderStats", 2, 1, do(staff, a.stats.QueryOrderStats, &ordersv1.QueryOrderStatsRequest{StartTime: hour, EndTime: soon, Granularity: ordersv1.QueryOrderStatsRequest_GRANULARITY_DAY})},
		{"ListProducts", 1, 1, do(customer, a.catalog.ListProducts, &ordersv1.ListProductsRequest{PageSize: 500})},
		{"GetProduct", 1, 1, do(customer, a.catalog.GetProduct, &ordersv1.GetProductRequest{Name: "products/" + ordertest.SKU(0)})},
		{"UpsertProduct", 6, 5, do(staff, a.catalog.UpsertProduct, upsertRequest("products/new"))},
	} {
		a.Statements.Take()
		if err := c.call(); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		sql, trips := a.Statements.Take()
		if len(sql) != c.statements || trips != c.trips {
			t.Errorf("%s: %d statements in %d round trips, want %d in %d:\n%s", c.name, len(sql), trips, c.statements, c.trips, strings.Join(sql, "\n"))
		}
	}
	ordertest.Check(t, a.DB)
}

// A page costs the same whether it has 1, 10 or 100 orders.
func TestAListCostsTheSameForOneTenAndAHundredOrders(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.Products(t, 4, 1000, 100000)
	for _, n := range []int{1, 10, 100} {
		user := uuid.New()
		ctx := a.as(t, user, "customer")
		for range n {
			o := a.Order(t, user, skus(4)...)
			if _, err := a.Pay(t.Context(), ordertest.PayRequest(user), o, "card"); err != nil {
				t.Fatal(err)
			}
		}
		for view, most := range map[ordersv1.OrderView]int{ordersv1.OrderView_ORDER_VIEW_BASIC: 1, ordersv1.OrderView_ORDER_VIEW_FULL: 5} {
			a.Statements.Take()
			page, err := a.queries.ListOrders(ctx, &ordersv1.ListOrdersRequest{Parent: "users/" + user.String(), PageSize: 100, View: view})
			if err != nil {
				t.Fatal(err)
			}
			sql, trips := a.Statements.Take()
			if len(page.GetOrders()) != n || len(sql) > most || trips != 1 {
				t.Errorf("%d orders, %v: got %d in %d statements and %d round trips", n, view, len(page.GetOrders()), len(sql), trips)
			}
			if view == ordersv1.OrderView_ORDER_VIEW_FULL && (len(page.GetOrders()[0].GetLineItems()) != 4 || len(page.GetOrders()[0].GetPayments()) != 1) {
				t.Errorf("%d orders: a full one lacks lines or payments: %v", n, page.GetOrders()[0])
			}
		}
	}
}

func do[Req, Resp any, Opt any](ctx context.Context, method func(context.Context, Req, ...Opt) (Resp, error), r Req) func() error {
	return func() error {
		_, err := method(ctx, r)
		return err
	}
}

func skus(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = ordertest.SKU(i)
	}
	return out
}

func upsertRequest(name string) *ordersv1.UpsertProductRequest {
	return &ordersv1.UpsertProductRequest{
		Product:   &ordersv1.Product{Name: name, Title: fmt.Sprintf("Title of %s", name), UnitPrice: euros(12), Sellable: true, OnHandQuantity: 10},
		RequestId: uuid.NewString(),
	}
}
