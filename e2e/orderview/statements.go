// Package orderview is the third story: a page of 100 orders, and how many SQL
// statements it costs.
package orderview

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// statements returns how many statements the role of the connection has run in
// its database, by pg_stat_statements, without transaction control and without
// looking at the statistics.
func statements(ctx context.Context, conn *pgx.Conn) (int64, error) {
	var n int64
	err := conn.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements
		WHERE userid = (SELECT oid FROM pg_roles WHERE rolname = current_user)
		AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND query !~* '^\s*(begin|commit|rollback|set |reset)' AND query NOT LIKE '%pg_stat_statements%'`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read pg_stat_statements: %w", err)
	}
	return n, nil
}

// cost returns how many statements f runs. Nothing else may use the role meanwhile.
func cost(ctx context.Context, conn *pgx.Conn, f func() error) (int64, error) {
	before, err := statements(ctx, conn)
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := statements(ctx, conn)
	return after - before, err
}
