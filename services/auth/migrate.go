package auth

import (
	"context"
	"errors"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
)

// migrate brings the schema up to date as its owner, and gives the role of
// --database-url what serving needs, which is not DDL.
func migrate(ctx context.Context, rt *server.Runtime, cfg *Config) error {
	if cfg.MigrateDatabaseURL == "" {
		return errors.New("--migrate-database-url is required")
	}
	role, err := servingRole(cfg.DatabaseURL)
	if err != nil {
		return err
	}
	return database.Migrate(ctx, cfg.MigrateDatabaseURL, role, postgres.Migrations(), rt.Log)
}

// servingRole is the user of the URL; none without a URL.
func servingRole(url string) (string, error) {
	if url == "" {
		return "", nil
	}
	cfg, err := database.ParseURL(url, "migrate")
	if err != nil {
		return "", err
	}
	return cfg.ConnConfig.User, nil
}
