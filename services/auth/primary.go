package auth

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// openPrimary opens a pool each of whose connections is to a primary: the
// settings may name several hosts, and one that was the primary may come back as
// a standby. What a standby does not know yet, the feed would not pass on, and
// introspection would call good.
func openPrimary(ctx context.Context, settings *pgxpool.Config) (*pgxpool.Pool, error) {
	settings.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	return pool, nil
}
