// Package database opens PostgreSQL for a service: a pool whose waits are
// bounded, migrations under an advisory lock, and the check that the schema is
// not older than the program (expand, then contract).
package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Defaults of a pool; each can be set in the URL.
const (
	defaultConnectTimeout = 5 * time.Second
	// defaultMaxConns is what one process uses at most: more transactions at a
	// time than that make a PostgreSQL of ordinary size slower, not faster.
	defaultMaxConns = 16
	// defaultMaxConnLifetime is after how long a connection is replaced that has
	// nothing in hand, so that a role or a password that was rotated out is soon
	// used by nobody. Spread over as much again, because a pool is filled at once.
	defaultMaxConnLifetime = 10 * time.Minute
	// defaultStatementTimeout ends a statement whose caller is gone or has no deadline.
	defaultStatementTimeout = "30s"
	// defaultIdleInTransaction ends a transaction whose client stands still,
	// so that a stopped process does not keep its row locks.
	defaultIdleInTransaction = "10s"
)

// ParseURL reads a PostgreSQL URL or keyword string into a pool configuration
// with bounded waits: connect_timeout 5 s, statement_timeout 30 s,
// idle_in_transaction_session_timeout 10 s, and at most 16 connections
// (pool_max_conns) that live for 10 to 20 minutes (pool_max_conn_lifetime and
// pool_max_conn_lifetime_jitter), unless the URL sets them. The error never
// quotes the URL, which may hold a password.
func ParseURL(databaseURL, application string) (*pgxpool.Config, error) {
	if databaseURL == "" {
		return nil, errors.New("database URL is empty")
	}
	cfg, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		if file, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, fmt.Errorf("file that the database URL names: %w", file)
		}
		return nil, errors.New("database URL cannot be parsed: expected postgres://user:password@host:port/database")
	}
	if !strings.Contains(databaseURL, "pool_max_conns") {
		cfg.MaxConns = defaultMaxConns
	}
	if !strings.Contains(databaseURL, "pool_max_conn_lifetime") {
		cfg.MaxConnLifetime, cfg.MaxConnLifetimeJitter = defaultMaxConnLifetime, defaultMaxConnLifetime
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = defaultConnectTimeout
	}
	params := cfg.ConnConfig.RuntimeParams
	setDefault(params, "application_name", application)
	setDefault(params, "statement_timeout", defaultStatementTimeout)
	setDefault(params, "idle_in_transaction_session_timeout", defaultIdleInTransaction)
	return cfg, nil
}

func setDefault(params map[string]string, key, value string) {
	if _, ok := params[key]; !ok {
		params[key] = value
	}
}

// Open returns a pool on the database of a URL, as Source.Open does.
func Open(ctx context.Context, databaseURL, application string) (*pgxpool.Pool, error) {
	return Source{URL: databaseURL}.Open(ctx, application)
}

func open(ctx context.Context, cfg *pgxpool.Config) (*pgxpool.Pool, error) {
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	return pool, nil
}

// Redact returns the URL without its password, for logs. What is no URL is
// hidden whole.
func Redact(databaseURL string) string {
	if databaseURL == "" {
		return ""
	}
	u, err := url.Parse(databaseURL)
	if err != nil || u.Scheme == "" {
		return "(hidden)"
	}
	query := u.Query()
	for _, secret := range []string{"password", "sslpassword"} {
		if query.Has(secret) {
			query.Set(secret, "xxxxx")
		}
	}
	u.RawQuery = query.Encode()
	return u.Redacted()
}
