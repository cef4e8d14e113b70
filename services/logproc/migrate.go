package logproc

import (
	"context"
	"errors"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/logproc/internal/postgres/migrations"
)

// migrate brings the schema up to date as its owner, and gives the role of
// --database-url what serving needs, which is not DDL.
func migrate(ctx context.Context, rt *server.Runtime, cfg *Config) error {
	if cfg.MigrateDatabaseURL == "" {
		return errors.New("--migrate-database-url is required")
	}
	role := ""
	if cfg.DatabaseURL != "" {
		parsed, err := database.ParseURL(cfg.DatabaseURL, "migrate")
		if err != nil {
			return err
		}
		role = parsed.ConnConfig.User
	}
	return database.Migrate(ctx, cfg.MigrateDatabaseURL, role, migrations.FS, rt.Log)
}
