package orders

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/pkg/server/guard"
	"github.com/curfew-platform/curfew/pkg/server/kafkaconn"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
)

// The gRPC services that --serve picks from.
const (
	serveCatalog = "catalog"
	serveCommand = "command"
	serveQuery   = "query"
	serveAdmin   = "admin"
	serveStats   = "stats"
)

// Config is the settings of the service, as flags and as CURFEW_ORDERS_*.
type Config struct {
	server.Settings
	Guard    guard.Settings    `embed:""`
	Database database.Settings `embed:""`

	Serve []string `help:"gRPC services of this process, of catalog, command, query, admin, stats. The one that serves commands also pays, expires, publishes and folds in the background." default:"catalog,command,query,admin,stats" placeholder:"NAME"`

	KeysetFile string `name:"keyset-file" help:"Keys that all replicas share: page tokens." type:"path"`

	KafkaBrokers     []string `help:"Brokers to publish the events of orders to." placeholder:"HOST:PORT"`
	EventsTopic      string   `help:"Topic of the events. Not compacted; its number of partitions never changes." default:"order-events"`
	EventsPartitions int32    `help:"Partitions of the topic if it has to be created." default:"16"`

	PaymentWindow   time.Duration `help:"How long an order can be paid before it expires." default:"15m"`
	ProviderTimeout time.Duration `help:"Longest wait for one answer of the payment provider." default:"10s"`
	StatsTimeout    time.Duration `help:"Longest statement of the statistics." default:"5s"`
}

// Common implements server.Config.
func (c *Config) Common() *server.Settings { return &c.Settings }

// Validate implements server.Config.
func (c *Config) Validate() error {
	errs := []error{c.Settings.Validate(), c.Database.Validate(), c.Guard.Validate(), keyset.Validate(c.KeysetFile)}
	if len(c.Serve) == 0 {
		errs = append(errs, errors.New("--serve names nothing"))
	}
	for i, name := range c.Serve {
		if !slices.Contains([]string{serveCatalog, serveCommand, serveQuery, serveAdmin, serveStats}, name) {
			errs = append(errs, fmt.Errorf("--serve %s: there is no such service", name))
		}
		if slices.Contains(c.Serve[:i], name) {
			errs = append(errs, fmt.Errorf("--serve %s twice", name))
		}
	}
	if c.serves(serveCommand) && len(c.KafkaBrokers) == 0 {
		errs = append(errs, errors.New("--kafka-brokers is required where commands are served"))
	}
	if err := kafkaconn.CheckTopic(c.EventsTopic); err != nil {
		errs = append(errs, fmt.Errorf("--events-topic %w", err))
	}
	if c.EventsPartitions < 1 {
		errs = append(errs, fmt.Errorf("--events-partitions %d: want at least 1", c.EventsPartitions))
	}
	for flag, d := range map[string]time.Duration{"--payment-window": c.PaymentWindow, "--provider-timeout": c.ProviderTimeout, "--stats-timeout": c.StatsTimeout} {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("%s must be positive, got %v", flag, d))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) serves(name string) bool { return slices.Contains(c.Serve, name) }
