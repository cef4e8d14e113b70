package orders

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// "Customers may look but not order" is a service left out, not a flag inside
// of one.
func TestListingWithoutCreatingIsLeavingTheCommandsOut(t *testing.T) {
	t.Parallel()
	a := newAPI(t, serveCatalog, serveQuery)
	user := uuid.New()
	name := a.order(t, user)
	ctx := a.as(t, user, "customer")
	if page, err := a.queries.ListOrders(ctx, &ordersv1.ListOrdersRequest{Parent: "users/" + user.String()}); err != nil || len(page.GetOrders()) != 1 {
		t.Errorf("list: %v, %v", page, err)
	}
	for method, call := range a.calls(user, name) {
		err := call(ctx)
		served := slices.Contains([]string{"ListOrders", "GetOrder", "ListProducts", "GetProduct"}, method)
		if method == "UpsertProduct" {
			served = status.Code(err) == codes.PermissionDenied
			err = nil
		}
		if served == (status.Code(err) == codes.Unimplemented) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

type registrations []string

func (r *registrations) RegisterService(d *grpc.ServiceDesc, _ any) {
	*r = append(*r, d.ServiceName[strings.LastIndex(d.ServiceName, ".")+1:])
}

func TestAProcessServesWhatServeNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		serve []string
		want  registrations
	}{
		"everything":      {allServices(), registrations{"CatalogService", "OrderCommandService", "OrderQueryService", "OrderAdminService", "OrderStatsService"}},
		"statistics only": {[]string{serveStats}, registrations{"OrderStatsService"}},
		"reads":           {[]string{serveQuery, serveCatalog}, registrations{"CatalogService", "OrderQueryService"}},
	} {
		var got registrations
		register, gateways := (&services{}).pick(&Config{Serve: c.serve})
		register(&got)
		if !slices.Equal(got, c.want) || len(gateways) != len(c.want) {
			t.Errorf("%s: got %v and %d gateways", name, got, len(gateways))
		}
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keyset.json")
	content, err := keyset.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keys, content, 0o600); err != nil {
		t.Fatal(err)
	}
	good := func() *Config {
		c := &Config{
			Serve: allServices(), Database: database.Settings{URL: "postgres://x"}, KeysetFile: keys, KafkaBrokers: []string{"b"}, EventsTopic: "t", EventsPartitions: 1,
			PaymentWindow: time.Minute, ProviderTimeout: time.Second, StatsTimeout: time.Second,
		}
		c.Settings.Listen, c.Settings.Grace = "127.0.0.1:0", time.Second
		c.Guard.AuthAddr, c.Guard.ServiceTokenFile, c.Guard.Issuer = "localhost:1", "f", "i"
		return c
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"--database-url-file is required":   func(c *Config) { c.Database.URL = "" },
		"--keyset-file is required":         func(c *Config) { c.KeysetFile = "" },
		"--serve names nothing":             func(c *Config) { c.Serve = nil },
		"there is no such service":          func(c *Config) { c.Serve = []string{"orders"} },
		"--serve stats twice":               func(c *Config) { c.Serve = []string{"stats", "stats"} },
		"--kafka-brokers is required":       func(c *Config) { c.KafkaBrokers = nil },
		"--events-topic":                    func(c *Config) { c.EventsTopic = "order events" },
		"--events-partitions":               func(c *Config) { c.EventsPartitions = 0 },
		"--payment-window must be positive": func(c *Config) { c.PaymentWindow = 0 },
		"--auth-addr is required":           func(c *Config) { c.Guard.AuthAddr = "" },
		"--grace must be positive":          func(c *Config) { c.Grace = 0 },
	} {
		c := good()
		change(c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	reads := good()
	reads.Serve, reads.KafkaBrokers = []string{serveQuery}, nil
	if err := reads.Validate(); err != nil {
		t.Errorf("reads need no broker: %v", err)
	}
}
