package pod

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/type/money"

	"github.com/curfew-platform/curfew/e2e/stand"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// quiet keeps log lines out of the log processor, which would store them on the same server.
var quiet = []string{"--log-kafka-brokers", ""} //nolint:gochecknoglobals // never changed

// logins measures a further replica of auth.
func logins(ctx context.Context, s *stand.Stand, pg int, each time.Duration) ([]Figure, error) {
	p, err := s.StartService(ctx, "auth", nil, quiet...)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	conn, err := stand.Dial(p.GRPC)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	near, err := s.DialAuth()
	if err != nil {
		return nil, err
	}
	defer near.Close()
	users, tokens := make([]stand.User, clients), make([]string, clients)
	for i := range users {
		if users[i], err = near.Register(ctx); err != nil {
			return nil, err
		}
	}
	auth, account := authv1.NewAuthServiceClient(conn), authv1.NewAccountServiceClient(conn)
	login, err := measure(ctx, "auth, Login", "calls", pg, p.Pid(), repeat(each, func(ctx context.Context, client, _ int) error {
		r, err := auth.Login(ctx, &authv1.LoginRequest{Email: users[client].Email, Password: users[client].Password})
		tokens[client] = r.GetAccessToken()
		return err
	}))
	if err != nil {
		return nil, err
	}
	me, err := measure(ctx, "auth, GetMe", "calls", pg, p.Pid(), repeat(each, func(ctx context.Context, client, _ int) error {
		_, err := account.GetMe(stand.Bearer(ctx, tokens[client]), &authv1.GetMeRequest{})
		return err
	}))
	return []Figure{login, me}, err
}

// shopping measures a further replica of orders.
func shopping(ctx context.Context, s *stand.Stand, pg int, each time.Duration) ([]Figure, error) {
	p, err := s.StartService(ctx, "orders", nil, append([]string{"--identity-rate", "0"}, quiet...)...)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	conn, err := stand.Dial(p.GRPC)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	auth, err := s.DialAuth()
	if err != nil {
		return nil, err
	}
	defer auth.Close()
	user, err := auth.Register(ctx)
	if err != nil {
		return nil, err
	}
	customer, err := auth.Login(ctx, user)
	if err != nil {
		return nil, err
	}
	admin, err := auth.Login(ctx, stand.User{Email: s.AdminEmail, Password: s.AdminPassword})
	if err != nil {
		return nil, err
	}
	catalog, commands, queries := ordersv1.NewCatalogServiceClient(conn), ordersv1.NewOrderCommandServiceClient(conn), ordersv1.NewOrderQueryServiceClient(conn)
	sku := "pod-" + uuid.NewString()[:8]
	names := make([]string, 2*clients)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", sku, i)
		if _, err := catalog.UpsertProduct(stand.Bearer(ctx, admin.GetAccessToken()), &ordersv1.UpsertProductRequest{
			Product: &ordersv1.Product{
				Name: "products/" + names[i], Title: "Product", Sellable: true, OnHandQuantity: 1_000_000,
				UnitPrice: &money.Money{CurrencyCode: "EUR", Units: 12},
			},
			RequestId: uuid.NewString(),
		}); err != nil {
			return nil, fmt.Errorf("stock a product: %w", err)
		}
	}
	order := func(ctx context.Context, client, _ int) (*ordersv1.Order, error) {
		return commands.CreateOrder(stand.Bearer(ctx, customer.GetAccessToken()), &ordersv1.CreateOrderRequest{
			Parent: user.Name,
			Order: &ordersv1.Order{
				LineItems: []*ordersv1.LineItem{{Sku: names[2*client], Quantity: 1}, {Sku: names[2*client+1], Quantity: 1}},
				ShippingAddress: &ordersv1.Address{
					Recipient: "A. Customer", AddressLines: []string{"1 Main Street"}, Locality: "Berlin", PostalCode: "10115", RegionCode: "DE",
				},
			},
			RequestId: uuid.NewString(),
		})
	}
	first, err := order(ctx, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("create order: %w", err)
	}
	var figures []Figure
	for _, part := range []struct {
		name string
		call func(ctx context.Context, client, n int) error
	}{
		{"orders, GetProduct", func(ctx context.Context, client, _ int) error {
			_, err := catalog.GetProduct(stand.Bearer(ctx, customer.GetAccessToken()), &ordersv1.GetProductRequest{Name: "products/" + names[client]})
			return err
		}},
		{"orders, GetOrder", func(ctx context.Context, _, _ int) error {
			_, err := queries.GetOrder(stand.Bearer(ctx, customer.GetAccessToken()), &ordersv1.GetOrderRequest{Name: first.GetName()})
			return err
		}},
		{"orders, CreateOrder of two lines, with its event", func(ctx context.Context, client, n int) error {
			_, err := order(ctx, client, n)
			return err
		}},
	} {
		f, err := measure(ctx, part.name, "calls", pg, p.Pid(), repeat(each, part.call))
		if err != nil {
			return nil, err
		}
		figures = append(figures, f)
	}
	return figures, nil
}
