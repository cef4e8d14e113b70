package auth

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	revocationfeed "github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/leaseclock"
	poolpart "github.com/curfew-platform/curfew/pkg/lifecycle/postgres"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/pkg/server/keyset"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	revocationv1 "github.com/curfew-platform/curfew/proto/gen/curfew/revocation/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/introspect"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
	"github.com/curfew-platform/curfew/services/auth/internal/rpc"
	"github.com/curfew-platform/curfew/services/auth/internal/servicetoken"
	"github.com/curfew-platform/curfew/services/auth/internal/stall"
)

// serve composes the service onto the group of rt.
func serve(ctx context.Context, rt *server.Runtime, cfg *Config) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	pools, keys, err := addPools(ctx, rt, cfg)
	if err != nil {
		return err
	}
	feed, err := addFeed(rt, pools)
	if err != nil {
		return err
	}
	core, err := addCore(ctx, rt, cfg, pools.calls, keys, feed)
	if err != nil {
		return err
	}
	inspector := introspect.New(core.verifier, core.store)
	chain, err := newChain(rt, rt.Log, cfg, core.verifier, feed.watcher, inspector)
	if err != nil {
		return err
	}
	gate := stall.New(leaseclock.System(), cfg.stallLimit())
	rt.Group.Go("stall gate", gate.Run)
	tendKeys(rt, core.ring)
	rt.Group.Every("revocation report", reportEvery, reportEvery/10, feed.streams.Report)
	rt.Group.Every("clean-up", postgres.CleanUpEvery, postgres.CleanUpEvery, func(ctx context.Context) error { return cleanUp(ctx, rt, core.store) })
	return server.Add(rt, server.API{
		Settings: &cfg.Settings,
		Chain:    chain,
		Register: func(s grpc.ServiceRegistrar) {
			authv1.RegisterAuthServiceServer(s, &rpc.AuthServer{Accounts: core.accounts, Services: core.services, Gate: gate, Proxies: cfg.TrustedProxies})
			authv1.RegisterAccountServiceServer(s, &rpc.AccountServer{Accounts: core.accounts, Pages: pagetoken.New(keys), Proxies: cfg.TrustedProxies})
			authv1.RegisterUserAdminServiceServer(s, &rpc.UserAdminServer{Accounts: core.accounts})
			authv1.RegisterTokenServiceServer(s, &rpc.TokenServer{Keys: core.ring, Introspector: inspector})
			revocationv1.RegisterRevocationServiceServer(s, feed.service())
		},
		Gateways: []server.Gateway{
			authv1.RegisterAuthServiceHandler,
			authv1.RegisterAccountServiceHandler,
			authv1.RegisterUserAdminServiceHandler,
			authv1.RegisterTokenServiceHandler,
		},
	})
}

// addPools opens the database twice, for calls and for the feed alone.
func addPools(ctx context.Context, rt *server.Runtime, cfg *Config) (pools connections, keys *keyset.Set, err error) {
	if pools.calls, keys, err = open(ctx, rt, cfg); err != nil {
		return connections{}, nil, err
	}
	if err := poolpart.Add(rt.Group, "database", pools.calls); err != nil {
		return connections{}, nil, err
	}
	if pools.feed, err = openFeed(ctx, rt, cfg); err != nil {
		return connections{}, nil, err
	}
	if err := poolpart.Add(rt.Group, "feed database", pools.feed); err != nil {
		return connections{}, nil, err
	}
	if err := database.Measure(rt.Telemetry.Meters(), map[string]*pgxpool.Pool{"auth": pools.calls, "auth-feed": pools.feed}); err != nil {
		return connections{}, nil, err
	}
	pools.listening, err = newListening(cfg.Database.Serving(rt.Log), rt.Name+" feed wake-ups")
	return pools, keys, err
}

// addFeed returns the feed of revocations, which the group runs.
func addFeed(rt *server.Runtime, pools connections) (*revocation, error) {
	feed, err := newRevocation(rt.Log, pools, revocationfeed.Config{}, rt.Telemetry.Meters())
	if err != nil {
		return nil, err
	}
	return feed, feed.addTo(rt.Group)
}

// addCore returns the use cases, with what they need of elsewhere: the cluster,
// external issuers, the feed.
func addCore(ctx context.Context, rt *server.Runtime, cfg *Config, pool *pgxpool.Pool, keys *keyset.Set, feed *revocation) (*core, error) {
	platform, err := addPlatform(rt, cfg)
	if err != nil {
		return nil, err
	}
	externals, issuers, err := addExternals(rt, cfg)
	if err != nil {
		return nil, err
	}
	counters, err := newCounters(rt.Telemetry.Meters(), issuers)
	if err != nil {
		return nil, err
	}
	core, err := newCore(ctx, rt.Log, cfg, pool, keys, outside{
		platform: platform, externals: externals, issuers: issuers,
		barrier: feed.barrier(), reader: feed.keyReader(cfg.Issuer), counters: counters,
	})
	if err != nil {
		return nil, err
	}
	return core, measureKeys(rt.Telemetry.Meters(), core.store.SigningKeys, rt.LocalLog)
}

// open opens the database, whose schema must be new enough, and the keyset.
func open(ctx context.Context, rt *server.Runtime, cfg *Config) (*pgxpool.Pool, *keyset.Set, error) {
	keys, err := keyset.Load(cfg.KeysetFile)
	if err != nil {
		return nil, nil, err
	}
	settings, err := cfg.Database.Serving(rt.Log).Parse(rt.Name)
	if err != nil {
		return nil, nil, err
	}
	pool, err := openPrimary(ctx, settings)
	if err != nil {
		return nil, nil, err
	}
	if err := database.CheckSchema(ctx, pool, postgres.Migrations()); err != nil {
		pool.Close()
		return nil, nil, err
	}
	return pool, keys, nil
}

// feedConnections are for the statements of one engine that may run at a time:
// of its reading, its row, its watermark and its barrier, and the one that tells
// the others. The connection that listens is not of them.
const feedConnections = 5

// openFeed opens connections that only the feed uses. If calls could take the
// last one, the engine could not renew its lease, and every replica of every
// service would refuse every call.
func openFeed(ctx context.Context, rt *server.Runtime, cfg *Config) (*pgxpool.Pool, error) {
	settings, err := cfg.Database.Serving(rt.Log).Parse(rt.Name + " feed")
	if err != nil {
		return nil, err
	}
	settings.MaxConns = feedConnections
	settings.MinConns = min(settings.MinConns, feedConnections)
	settings.MinIdleConns = min(settings.MinIdleConns, feedConnections)
	return openPrimary(ctx, settings)
}

// cleanUp removes expired rows. Nothing depends on when it happens.
func cleanUp(ctx context.Context, rt *server.Runtime, store *postgres.Store) error {
	removed, err := store.CleanUp(ctx)
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	if removed > 0 {
		rt.Log.DebugContext(ctx, "clean-up done", "rows", removed)
	}
	return nil
}

// registry reads the keys of services; without a file there are none.
func registry(cfg *Config) (servicetoken.Registry, error) {
	if cfg.ServiceKeysFile == "" {
		return servicetoken.Registry{}, nil
	}
	return servicetoken.LoadRegistry(cfg.ServiceKeysFile)
}
