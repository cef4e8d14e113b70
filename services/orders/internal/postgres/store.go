// Package postgres keeps orders, the catalog, points, payments and events in
// PostgreSQL: one file per use case, with its statements beside it.
//
// Every transaction takes its row locks in this order: request id, order,
// payment, attempt, refund, points accounts by id, stock by (sku, bucket). Rows
// of one table are locked in key order, by an ordered SELECT where there are
// several: a plain UPDATE ... = ANY does not lock in order. Locks are FOR NO
// KEY UPDATE, for FOR UPDATE would also wait for the foreign keys of others.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/curfew-platform/curfew/pkg/server/database"
)

// Config says how to open a Store.
type Config struct {
	// Database, as the serving role.
	Database database.Source
	// PaymentWindow is how long an order can be paid.
	PaymentWindow time.Duration
	// Provider is the name of the payment provider of new payments.
	Provider string
	// Takeover is how long an attempt is left to the one who made it before a
	// worker takes it over; longer than a call of the provider lasts. Both
	// acting at once would be safe, only wasteful.
	Takeover time.Duration
	// Guard is asked right before a command commits and refuses if the caller
	// was revoked meanwhile.
	Guard func(context.Context) error
	// StatsTimeout bounds the statements of the statistics.
	StatsTimeout time.Duration
	// Tracer sees every statement; optional.
	Tracer pgx.QueryTracer
}

// Store is the database of the service. It is safe for concurrent use.
type Store struct {
	cfg   Config
	write *pgxpool.Pool
	// read and stats are read only, and every batch is one snapshot: the
	// implicit transaction of a pipeline takes the session's isolation.
	read  *pgxpool.Pool
	stats *pgxpool.Pool
}

// Open opens the pools; it does not wait for the database.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Guard == nil || cfg.Provider == "" || cfg.PaymentWindow <= 0 || cfg.Takeover <= 0 || cfg.StatsTimeout <= 0 {
		return nil, errors.New("orders database: guard, provider, payment window, takeover and statistics timeout are required")
	}
	s := &Store{cfg: cfg}
	// Commands reach every row by its key. They are planned once on each
	// connection, for an index whatever the statistics say: a plan that was made
	// while a table was small would read all of it when it has grown, and planning
	// anew for every argument costs as much as the statements themselves.
	commands := map[string]string{
		"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off",
	}
	readOnly := map[string]string{"default_transaction_read_only": "on", "default_transaction_isolation": "repeatable read"}
	statistics := map[string]string{"statement_timeout": fmt.Sprintf("%d", cfg.StatsTimeout.Milliseconds())}
	maps.Copy(statistics, readOnly)
	for _, p := range []struct {
		pool   **pgxpool.Pool
		name   string
		params map[string]string
	}{{&s.write, "orders", commands}, {&s.read, "orders-read", readOnly}, {&s.stats, "orders-stats", statistics}} {
		pool, err := open(ctx, cfg, p.name, p.params)
		if err != nil {
			s.Close()
			return nil, err
		}
		*p.pool = pool
	}
	return s, nil
}

func open(ctx context.Context, cfg Config, name string, params map[string]string) (*pgxpool.Pool, error) {
	pc, err := cfg.Database.Parse(name)
	if err != nil {
		return nil, err
	}
	maps.Copy(pc.ConnConfig.RuntimeParams, params)
	pc.ConnConfig.Tracer = cfg.Tracer
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	return pool, nil
}

// Pools returns the pools with their names, for whoever closes them in phases.
func (s *Store) Pools() map[string]*pgxpool.Pool {
	return map[string]*pgxpool.Pool{"orders": s.write, "orders-read": s.read, "orders-stats": s.stats}
}

// Close closes the pools.
func (s *Store) Close() {
	for _, p := range s.Pools() {
		if p != nil {
			p.Close()
		}
	}
}

// CheckSchema returns an error unless the schema has every migration.
func (s *Store) CheckSchema(ctx context.Context) error {
	return database.CheckSchema(ctx, s.write, Migrations())
}
