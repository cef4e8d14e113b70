package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/server/idempotency"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
	"github.com/curfew-platform/curfew/services/orders/internal/ordertest"
	"github.com/curfew-platform/curfew/services/orders/internal/payment/simulated"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

func TestAnOrderIsCreatedPaidAndCancelledWithTheMoneyBack(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Products(t, 3, 1000, 10)
	user := uuid.New()
	shop.Points(t, user, 500)
	n := ordertest.NewOrder(user, ordertest.SKU(0), ordertest.SKU(1), ordertest.SKU(2))
	n.Points = 300
	o, err := shop.Store.CreateOrder(t.Context(), ordertest.Request(user, "CreateOrder"), n)
	if err != nil {
		t.Fatal(err)
	}
	if o.State != order.PendingPayment || o.PayableMinor != 2700 || o.Version != 1 {
		t.Fatalf("created %+v", o)
	}
	ordertest.Check(t, shop.DB)
	paid, err := shop.Pay(t.Context(), ordertest.PayRequest(user), o, "card")
	if err != nil {
		t.Fatal(err)
	}
	if paid.State != order.Confirmed {
		t.Fatalf("paid order is in %v", paid.State)
	}
	ordertest.Check(t, shop.DB)
	cancelled, err := shop.Store.CancelOrder(t.Context(), ordertest.Request(user, "CancelOrder"), postgres.Cancellation{User: user, Order: o.ID})
	if err != nil {
		t.Fatal(err)
	}
	if cancelled.State != order.Cancelling {
		t.Fatalf("with money here, cancelled order is in %v", cancelled.State)
	}
	ordertest.Check(t, shop.DB)
	shop.Settle(t)
	got := shop.Read(t, o)
	if got.State != order.Cancelled || len(got.Refunds) != 1 || got.RefundedMinor != 2700 || shop.Reserved(t, ordertest.SKU(0)) != 0 {
		t.Fatalf("settled %+v", got)
	}
	ordertest.Check(t, shop.DB)
}

func TestADeclinedPaymentReturnsToPendingAndANewRequestCanPay(t *testing.T) {
	t.Parallel()
	for _, token := range []string{simulated.TokenDeclined, simulated.TokenCaptureDeclined} {
		shop := ordertest.NewShop(t)
		shop.Product(t, "a", 1000, 5)
		o := shop.Order(t, uuid.New(), "a")
		req := ordertest.PayRequest(o.User)
		for range 2 { // the answer of a decline is stored
			_, err := shop.Pay(t.Context(), req, o, token)
			if _, ok := errors.AsType[*order.PaymentDeclined](err); !ok {
				t.Fatalf("%s: got %v", token, err)
			}
		}
		if got := shop.Read(t, o); got.State != order.PendingPayment {
			t.Fatalf("%s: order is in %v", token, got.State)
		}
		ordertest.Check(t, shop.DB)
		paid, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card")
		if err != nil || paid.State != order.Confirmed {
			t.Fatalf("second payment: %v, %v", paid, err)
		}
		ordertest.Check(t, shop.DB)
	}
}

func TestAnOrderPaidByPointsIsConfirmedWithoutAPayment(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 5)
	user := uuid.New()
	shop.Points(t, user, 1000)
	n := ordertest.NewOrder(user, "a")
	n.Points = 1000
	o, err := shop.Store.CreateOrder(t.Context(), ordertest.Request(user, "CreateOrder"), n)
	if err != nil {
		t.Fatal(err)
	}
	paid, err := shop.Pay(t.Context(), ordertest.PayRequest(user), o, "card")
	if err != nil || paid.State != order.Confirmed {
		t.Fatalf("got %v, %v", paid, err)
	}
	cancelled, err := shop.Store.CancelOrder(t.Context(), ordertest.Request(user, "CancelOrder"), postgres.Cancellation{User: user, Order: o.ID})
	if err != nil || cancelled.State != order.Cancelled {
		t.Fatalf("cancelled: %v, %v", cancelled, err)
	}
	ordertest.Check(t, shop.DB)
}

func TestAnEditMovesStockPointsAndPrices(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Products(t, 3, 1000, 4)
	user := uuid.New()
	shop.Points(t, user, 500)
	n := ordertest.NewOrder(user, ordertest.SKU(0), ordertest.SKU(1))
	n.Points = 100
	o, err := shop.Store.CreateOrder(t.Context(), ordertest.Request(user, "CreateOrder"), n)
	if err != nil {
		t.Fatal(err)
	}
	points := int64(500)
	e := postgres.OrderEdit{
		User: user, ID: o.ID, Etag: o.Etag(), Points: &points,
		Wishes: []order.Wish{{SKU: ordertest.SKU(2), Quantity: 3}, {SKU: ordertest.SKU(1), Quantity: 4}},
	}
	edited, err := shop.Store.UpdateOrder(t.Context(), ordertest.Request(user, "UpdateOrder"), e)
	if err != nil {
		t.Fatal(err)
	}
	if edited.Version != 2 || edited.ItemsMinor != 7000 || edited.PayableMinor != 6500 || edited.Units != 7 {
		t.Fatalf("edited %+v", edited)
	}
	if shop.Reserved(t, ordertest.SKU(0)) != 0 || shop.Reserved(t, ordertest.SKU(1)) != 4 || shop.Reserved(t, ordertest.SKU(2)) != 3 {
		t.Fatal("stock did not follow the lines")
	}
	ordertest.Check(t, shop.DB)
	_, err = shop.Store.UpdateOrder(t.Context(), ordertest.Request(user, "UpdateOrder"), e)
	if _, ok := errors.AsType[*order.EtagMismatch](err); !ok {
		t.Fatalf("an old etag: got %v", err)
	}
	e.Etag, e.Wishes[1].Quantity = "", 5
	_, err = shop.Store.UpdateOrder(t.Context(), ordertest.Request(user, "UpdateOrder"), e)
	if short, ok := errors.AsType[*order.OutOfStock](err); !ok || short.Available != 4 {
		t.Fatalf("more than there is: got %v", err)
	}
	ordertest.Check(t, shop.DB)
}

func TestAnUnpaidOrderExpiresAndGivesEverythingBack(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t, ordertest.WithConfig(func(c *postgres.Config) { c.PaymentWindow = 1 }))
	shop.Product(t, "a", 1000, 5)
	o := shop.Order(t, uuid.New(), "a")
	_, err := shop.Pay(t.Context(), ordertest.PayRequest(o.User), o, "card")
	if _, ok := errors.AsType[*order.DeadlinePassed](err); !ok {
		t.Fatalf("paying after the deadline: got %v", err)
	}
	if n, err := shop.Store.ExpireOrders(t.Context(), 10); n != 1 || err != nil {
		t.Fatalf("expired %d, %v", n, err)
	}
	if got := shop.Read(t, o); got.State != order.Expired || shop.Reserved(t, "a") != 0 {
		t.Fatalf("expired %+v", got)
	}
	ordertest.Check(t, shop.DB)
}

func TestARequestHasOneEffectAndOneAnswer(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 5)
	user := uuid.New()
	req, n := ordertest.Request(user, "CreateOrder"), ordertest.NewOrder(user, "a")
	first, err := shop.Store.CreateOrder(t.Context(), req, n)
	if err != nil {
		t.Fatal(err)
	}
	n.ID = uuid.Must(uuid.NewV7()) // the server makes another id for the repetition
	again, err := shop.Store.CreateOrder(t.Context(), req, n)
	if err != nil || again.ID != first.ID || !again.CreateTime.Equal(first.CreateTime) {
		t.Fatalf("repetition: %+v, %v", again, err)
	}
	other := req
	other.Hash = []byte("another body")
	if _, err := shop.Store.CreateOrder(t.Context(), other, n); !errors.Is(err, idempotency.ErrReused) {
		t.Fatalf("another body: %v", err)
	}
	if shop.Reserved(t, "a") != 1 {
		t.Fatal("two effects")
	}
	ordertest.Check(t, shop.DB)
}

func TestARefusalIsNotStored(t *testing.T) {
	t.Parallel()
	shop := ordertest.NewShop(t)
	shop.Product(t, "a", 1000, 0)
	user := uuid.New()
	req, n := ordertest.Request(user, "CreateOrder"), ordertest.NewOrder(user, "a")
	_, err := shop.Store.CreateOrder(context.Background(), req, n)
	if _, ok := errors.AsType[*order.OutOfStock](err); !ok {
		t.Fatalf("got %v", err)
	}
	shop.Product(t, "a", 1000, 1)
	if _, err := shop.Store.CreateOrder(context.Background(), req, n); err != nil {
		t.Fatalf("the reason of the refusal is gone: %v", err)
	}
	ordertest.Check(t, shop.DB)
}
