package orderview

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/e2e/stand"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// shop is a customer with products to buy.
type shop struct {
	user     stand.User
	token    string // customer
	admin    string // administrator
	skus     []string
	commands ordersv1.OrderCommandServiceClient
	catalog  ordersv1.CatalogServiceClient
	queries  ordersv1.OrderQueryServiceClient
}

// open registers a customer and stocks products.
func open(ctx context.Context, s *stand.Stand, conn grpc.ClientConnInterface, products, stock int) (*shop, error) {
	auth, err := s.DialAuth()
	if err != nil {
		return nil, err
	}
	defer auth.Close()
	sh := &shop{
		commands: ordersv1.NewOrderCommandServiceClient(conn),
		catalog:  ordersv1.NewCatalogServiceClient(conn),
		queries:  ordersv1.NewOrderQueryServiceClient(conn),
	}
	if sh.user, err = auth.Register(ctx); err != nil {
		return nil, err
	}
	login, err := auth.Login(ctx, sh.user)
	if err != nil {
		return nil, err
	}
	admin, err := auth.Login(ctx, stand.User{Email: s.AdminEmail, Password: s.AdminPassword})
	if err != nil {
		return nil, err
	}
	sh.token, sh.admin = login.GetAccessToken(), admin.GetAccessToken()
	for i := range products {
		sku, err := sh.stock(ctx, fmt.Sprintf("Product %d", i), stock)
		if err != nil {
			return nil, err
		}
		sh.skus = append(sh.skus, sku)
	}
	return sh, nil
}

// stock adds a product with pieces on hand and returns its SKU.
func (sh *shop) stock(ctx context.Context, title string, pieces int) (string, error) {
	sku := "story-" + strings.ToLower(uuid.NewString()[:13])
	_, err := sh.catalog.UpsertProduct(stand.Bearer(ctx, sh.admin), &ordersv1.UpsertProductRequest{
		Product: &ordersv1.Product{
			Name: "products/" + sku, Title: title, Sellable: true, OnHandQuantity: int32(pieces),
			UnitPrice: &money.Money{CurrencyCode: "EUR", Units: 12, Nanos: 500_000_000},
		},
		RequestId: uuid.NewString(),
	})
	if err != nil {
		return "", fmt.Errorf("stock a product: %w", err)
	}
	return sku, nil
}

// order buys one piece of each SKU.
func (sh *shop) order(ctx context.Context, skus ...string) error {
	lines := make([]*ordersv1.LineItem, len(skus))
	for i, sku := range skus {
		lines[i] = &ordersv1.LineItem{Sku: sku, Quantity: 1}
	}
	_, err := sh.commands.CreateOrder(stand.Bearer(ctx, sh.token), &ordersv1.CreateOrderRequest{
		Parent: sh.user.Name,
		Order: &ordersv1.Order{LineItems: lines, ShippingAddress: &ordersv1.Address{
			Recipient: "A. Customer", AddressLines: []string{"1 Main Street"}, Locality: "Berlin", PostalCode: "10115", RegionCode: "DE",
		}},
		RequestId: uuid.NewString(),
	})
	return err
}

// orders creates n orders of three lines.
func (sh *shop) orders(ctx context.Context, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range n {
		g.Go(func() error {
			k := len(sh.skus)
			if err := sh.order(ctx, sh.skus[i%k], sh.skus[(i+1)%k], sh.skus[(i+2)%k]); err != nil {
				return fmt.Errorf("create order: %w", err)
			}
			return nil
		})
	}
	return g.Wait()
}

// list reads a page of the customer's orders.
func (sh *shop) list(ctx context.Context, queries ordersv1.OrderQueryServiceClient, view ordersv1.OrderView, size int) (int, error) {
	page, err := queries.ListOrders(stand.Bearer(ctx, sh.token), &ordersv1.ListOrdersRequest{Parent: sh.user.Name, PageSize: int32(size), View: view})
	if err != nil {
		return 0, fmt.Errorf("list orders: %w", err)
	}
	return len(page.GetOrders()), nil
}
