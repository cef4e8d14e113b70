// Package shop measures CreateOrder against the physical limit of its
// database: the same statements run by pgbench.
package shop

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/e2e/stand"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

const (
	products = 500
	pieces   = 1_000_000
	clients  = 16
)

//go:embed create_order.sql
var createOrder string

// Run measures orders per second, pairs times for the given time each.
func Run(ctx context.Context, s *stand.Stand, pairs int, each time.Duration) (ratio.Result, error) {
	// A process of its own, which ships no log lines: those would be stored by
	// the same machine that is measured.
	p, err := s.StartService(ctx, "orders", nil, "--log-kafka-brokers", "")
	if err != nil {
		return ratio.Result{}, err
	}
	defer p.Kill()
	conn, err := stand.Dial(p.GRPC)
	if err != nil {
		return ratio.Result{}, err
	}
	defer conn.Close()
	b, err := open(ctx, s, conn)
	if err != nil {
		return ratio.Result{}, err
	}
	dir, err := os.MkdirTemp("", "curfew-bench-*")
	if err != nil {
		return ratio.Result{}, fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	b.script = filepath.Join(dir, "create_order.sql")
	if err := os.WriteFile(b.script, []byte(createOrder), 0o600); err != nil {
		return ratio.Result{}, fmt.Errorf("bench: %w", err)
	}
	ours := func() (float64, error) { return b.service(ctx, each) }
	theirs := func() (float64, error) { return b.pgbench(ctx, each) }
	for _, warm := range []func() (float64, error){ours, theirs} {
		if _, err := warm(); err != nil {
			return ratio.Result{}, err
		}
	}
	measured, err := ratio.Measure(pairs, ours, theirs)
	return ratio.Result{
		Name: fmt.Sprintf("CreateOrder, %d clients, two lines: the service / the same SQL by pgbench", clients),
		Unit: "orders/s", Goal: 0.6, Pairs: measured,
	}, err
}

type bench struct {
	stand  *stand.Stand
	user   stand.User
	token  string
	prefix string
	script string
	client ordersv1.OrderCommandServiceClient
}

// open registers a customer and stocks the products.
func open(ctx context.Context, s *stand.Stand, conn *grpc.ClientConn) (*bench, error) {
	auth, err := s.DialAuth()
	if err != nil {
		return nil, err
	}
	defer auth.Close()
	b := &bench{stand: s, prefix: "bench-" + uuid.NewString()[:8] + "-", client: ordersv1.NewOrderCommandServiceClient(conn)}
	if b.user, err = auth.Register(ctx); err != nil {
		return nil, err
	}
	login, err := auth.Login(ctx, b.user)
	if err != nil {
		return nil, err
	}
	b.token = login.GetAccessToken()
	admin, err := auth.Login(ctx, stand.User{Email: s.AdminEmail, Password: s.AdminPassword})
	if err != nil {
		return nil, err
	}
	catalog := ordersv1.NewCatalogServiceClient(conn)
	for i := range products {
		_, err := catalog.UpsertProduct(stand.Bearer(ctx, admin.GetAccessToken()), &ordersv1.UpsertProductRequest{
			Product: &ordersv1.Product{
				Name: "products/" + b.sku(i), Title: "Product", Sellable: true, OnHandQuantity: pieces,
				UnitPrice: &money.Money{CurrencyCode: "EUR", Units: 12, Nanos: 500_000_000},
			},
			RequestId: uuid.NewString(),
		})
		if err != nil {
			return nil, fmt.Errorf("stock a product: %w", err)
		}
	}
	return b, nil
}

func (b *bench) sku(i int) string { return b.prefix + strconv.Itoa(i) }

// service returns the orders per second through gRPC.
func (b *bench) service(ctx context.Context, each time.Duration) (float64, error) {
	ctx = stand.Bearer(ctx, b.token)
	end := time.Now().Add(each)
	var n atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for c := range clients {
		g.Go(func() error {
			for i := c; time.Now().Before(end); i += clients + 1 {
				if err := b.order(ctx, i%products, (i*7+1)%products); err != nil {
					return err
				}
				n.Add(1)
			}
			return nil
		})
	}
	err := g.Wait()
	return float64(n.Load()) / time.Since(start).Seconds(), err
}

func (b *bench) order(ctx context.Context, i, j int) error {
	if i == j {
		j = (j + 1) % products
	}
	_, err := b.client.CreateOrder(ctx, &ordersv1.CreateOrderRequest{
		Parent: b.user.Name,
		Order: &ordersv1.Order{
			LineItems: []*ordersv1.LineItem{{Sku: b.sku(i), Quantity: 1}, {Sku: b.sku(j), Quantity: 1}},
			ShippingAddress: &ordersv1.Address{
				Recipient: "A. Customer", AddressLines: []string{"1 Main Street"}, Locality: "Berlin", PostalCode: "10115", RegionCode: "DE",
			},
		},
		RequestId: uuid.NewString(),
	})
	if err != nil {
		return fmt.Errorf("create order: %w", err)
	}
	return nil
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

// pgbench returns the orders per second of the statements alone.
func (b *bench) pgbench(ctx context.Context, each time.Duration) (float64, error) {
	cmd := exec.CommandContext(ctx, "pgbench", "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "2",
		"-T", strconv.Itoa(int(each.Seconds())), "-f", b.script,
		"-D", "n=0", "-D", fmt.Sprintf("base=%d", time.Now().UnixMicro()*1000), "-D", fmt.Sprintf("products=%d", products),
		"-D", "prefix="+b.prefix, "-D", "user="+strings.TrimPrefix(b.user.Name, "users/"), b.stand.OrdersOwner)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	m := tps.FindSubmatch(out)
	if m == nil {
		return 0, errors.New("pgbench printed no tps: " + string(out))
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil || v <= 0 {
		return 0, fmt.Errorf("pgbench printed tps %s", m[1])
	}
	return v, nil
}
