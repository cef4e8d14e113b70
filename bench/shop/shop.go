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
	// publishLimit bounds the wait for the events of a run.
	publishLimit = time.Minute
)

//go:embed create_order.sql
var createOrder string

// Run measures orders per second, pairs times for the given time each: against
// the script as one writes it, a statement at a time, and against the same
// statements in the pipelines that the service sends. All of them run with as
// many connections as there are clients.
func Run(ctx context.Context, s *stand.Stand, pairs int, each time.Duration) ([]ratio.Result, error) {
	// A process of its own, which ships no log lines: those would be stored by
	// the same machine that is measured.
	p, err := s.StartService(ctx, "orders", nil, "--log-kafka-brokers", "")
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	conn, err := stand.Dial(p.GRPC)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	b, err := open(ctx, s, conn)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "curfew-bench-*")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	ours := b.after(ctx, func() (float64, error) { return b.service(ctx, each) })
	if _, err := ours(); err != nil {
		return nil, err
	}
	var results []ratio.Result
	for _, peer := range []struct {
		file, script, says string
		goal               float64
	}{
		{"plain.sql", pipelines.Replace(createOrder), "the same SQL by pgbench", 0.6},
		{"pipelined.sql", createOrder, "the same SQL by pgbench in the same pipelines", 0},
	} {
		script := filepath.Join(dir, peer.file)
		if err := os.WriteFile(script, []byte(peer.script), 0o600); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		theirs := b.after(ctx, func() (float64, error) { return b.pgbench(ctx, script, each) })
		if _, err := theirs(); err != nil {
			return nil, err
		}
		measured, err := ratio.Measure(pairs, ours, theirs)
		if err != nil {
			return nil, err
		}
		results = append(results, ratio.Result{
			Name: fmt.Sprintf("CreateOrder, %d clients, two lines: the service / %s", clients, peer.says),
			Unit: "orders/s", Goal: peer.goal, Pairs: measured,
		})
	}
	return results, nil
}

// pipelines takes the pipelines out of a script.
var pipelines = strings.NewReplacer("\\startpipeline\n", "", "\\endpipeline\n", "")

type bench struct {
	stand  *stand.Stand
	user   stand.User
	token  string
	prefix string
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

// after returns a run that begins when the events of the run before are
// published, so that neither pays for the other.
func (b *bench) after(ctx context.Context, run func() (float64, error)) func() (float64, error) {
	return func() (float64, error) {
		if err := b.published(ctx); err != nil {
			return 0, err
		}
		return run()
	}
}

func (b *bench) published(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	db, err := stand.Connect(ctx, b.stand.OrdersOwner)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx)) //nolint:errcheck // Nothing is written.
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		var done bool
		if err := db.QueryRow(ctx, `SELECT NOT EXISTS (SELECT 1 FROM outbox_events)`).Scan(&done); err != nil || done {
			tick.Stop()
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("events are not published: %w", context.Cause(ctx))
		}
	}
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
func (b *bench) pgbench(ctx context.Context, script string, each time.Duration) (float64, error) {
	cmd := exec.CommandContext(ctx, "pgbench", "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "2",
		"-T", strconv.Itoa(int(each.Seconds())), "-f", script,
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
