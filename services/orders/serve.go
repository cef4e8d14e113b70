package orders

import (
	"context"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	poolpart "github.com/curfew-platform/curfew/pkg/lifecycle/postgres"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/pkg/server/guard"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/payment"
	"github.com/curfew-platform/curfew/services/orders/internal/payment/simulated"
	"github.com/curfew-platform/curfew/services/orders/internal/postgres"
	"github.com/curfew-platform/curfew/services/orders/internal/rpc"
)

// serve composes the service onto the group of rt.
func serve(ctx context.Context, rt *server.Runtime, cfg *Config) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	keys, err := keyset.Load(cfg.KeysetFile)
	if err != nil {
		return err
	}
	store, err := openStore(ctx, rt, cfg)
	if err != nil {
		return err
	}
	policy, err := newPolicy()
	if err != nil {
		return err
	}
	tie, err := guard.Add(rt, &cfg.Guard, &cfg.Settings, policy)
	if err != nil {
		return err
	}
	if err := measure(rt.Telemetry.Meters(), store, rt.LocalLog); err != nil {
		return err
	}
	s := &services{store: store, pages: pagetoken.New(keys)}
	if cfg.serves(serveCommand) {
		if err := s.addCommands(ctx, rt, cfg); err != nil {
			return err
		}
	}
	register, gateways := s.pick(cfg)
	return server.Add(rt, server.API{
		Settings: &cfg.Settings,
		Chain:    tie.Chain,
		Register: register,
		Gateways: gateways,
	})
}

// openStore opens the database, whose schema must be new enough.
func openStore(ctx context.Context, rt *server.Runtime, cfg *Config) (*postgres.Store, error) {
	store, err := postgres.Open(ctx, postgres.Config{
		Database:      cfg.Database.Serving(rt.Log),
		PaymentWindow: cfg.PaymentWindow,
		Provider:      simulated.Name,
		Takeover:      cfg.ProviderTimeout + applyLimit,
		StatsTimeout:  cfg.StatsTimeout,
		Guard:         revocation.CommitGuard,
	})
	if err != nil {
		return nil, err
	}
	if err := store.CheckSchema(ctx); err != nil {
		store.Close()
		return nil, err
	}
	for name, pool := range store.Pools() {
		if err := poolpart.Add(rt.Group, "database "+name, pool); err != nil {
			return nil, err
		}
	}
	return store, database.Measure(rt.Telemetry.Meters(), store.Pools())
}

// services is what a process may serve.
type services struct {
	store *postgres.Store
	pages *pagetoken.Sealer
	// Only where commands are served.
	payments      *payment.Driver
	changed, owed func()
}

// pick returns the registrations of what --serve names: a service that is left
// out is not there at all.
func (s *services) pick(cfg *Config) (func(grpc.ServiceRegistrar), []server.Gateway) {
	var gateways []server.Gateway
	var registers []func(grpc.ServiceRegistrar)
	add := func(name string, register func(grpc.ServiceRegistrar), gateway server.Gateway) {
		if cfg.serves(name) {
			registers, gateways = append(registers, register), append(gateways, gateway)
		}
	}
	add(serveCatalog, func(r grpc.ServiceRegistrar) {
		ordersv1.RegisterCatalogServiceServer(r, &rpc.CatalogServer{Products: s.store, Pages: s.pages})
	}, ordersv1.RegisterCatalogServiceHandler)
	add(serveCommand, func(r grpc.ServiceRegistrar) {
		ordersv1.RegisterOrderCommandServiceServer(r, &rpc.CommandServer{Orders: s.store, Payments: s.payments, Changed: s.changed, Owed: s.owed})
	}, ordersv1.RegisterOrderCommandServiceHandler)
	add(serveQuery, func(r grpc.ServiceRegistrar) {
		ordersv1.RegisterOrderQueryServiceServer(r, &rpc.QueryServer{Orders: s.store, Pages: s.pages})
	}, ordersv1.RegisterOrderQueryServiceHandler)
	add(serveAdmin, func(r grpc.ServiceRegistrar) {
		ordersv1.RegisterOrderAdminServiceServer(r, &rpc.AdminServer{Orders: s.store, Pages: s.pages})
	}, ordersv1.RegisterOrderAdminServiceHandler)
	add(serveStats, func(r grpc.ServiceRegistrar) {
		ordersv1.RegisterOrderStatsServiceServer(r, &rpc.StatsServer{Stats: s.store, Pages: s.pages})
	}, ordersv1.RegisterOrderStatsServiceHandler)
	return func(r grpc.ServiceRegistrar) {
		for _, register := range registers {
			register(r)
		}
	}, gateways
}
