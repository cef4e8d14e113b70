// Package orders is the shop: a catalog, orders as commands and queries, their
// payments, statistics, and the events that tell others what happened.
//
// The package is the composition root; its binary and `curfew run orders` share
// Command. DESIGN.md in this folder says where what is.
package orders

import (
	"context"
	"time"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
)

// startLimit bounds what serve asks of the database before it serves.
const startLimit = 30 * time.Second

// Command returns the service as a program: serve, migrate.
func Command() server.Command {
	cfg := &Config{}
	return server.Command{
		Name:        "orders",
		Description: "Catalog, orders, payments and statistics.",
		Config:      cfg,
		Serve:       func(ctx context.Context, rt *server.Runtime) error { return serve(ctx, rt, cfg) },
		Check:       cfg.describe,
		Migrate: func(ctx context.Context, rt *server.Runtime) error {
			return cfg.Database.Migrate(ctx, postgres.Migrations(), rt.Log)
		},
	}
}
