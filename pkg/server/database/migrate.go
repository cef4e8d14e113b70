package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// ErrSchemaTooOld says that the database lacks migrations that the program needs.
var ErrSchemaTooOld = errors.New("database schema is older than this program: run its migrate command first")

// versionTable is where goose notes what it has applied.
const versionTable = "goose_db_version"

// Migrate brings the schema up to date as the owner role. Several at once are
// safe: a session advisory lock lets one work and the others wait. If
// servingRole is set, it is then granted what a serving process needs: to read
// and write rows and to execute functions, no DDL.
func Migrate(ctx context.Context, databaseURL, servingRole string, migrations fs.FS, log *slog.Logger) error {
	cfg, err := ParseURL(databaseURL, "migrate")
	if err != nil {
		return err
	}
	// A migration may rightly take longer than any statement of a service.
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = "0"
	cfg.ConnConfig.RuntimeParams["lock_timeout"] = lockTimeout
	db := stdlib.OpenDB(*cfg.ConnConfig)
	defer func() { _ = db.Close() }()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return fmt.Errorf("migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations,
		goose.WithSessionLocker(locker), goose.WithTableName(versionTable))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if err := apply(ctx, provider, log); err != nil {
		return err
	}
	if servingRole == "" {
		return nil
	}
	return grantServing(ctx, db, servingRole)
}

// apply applies what is pending, one at a time, and tells how far it is.
func apply(ctx context.Context, provider *goose.Provider, log *slog.Logger) error {
	all, err := provider.Status(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	pending := 0
	for _, m := range all {
		if m.State == goose.StatePending {
			pending++
		}
	}
	for i := 1; ; i++ {
		lifecycle.Progress(ctx, fmt.Sprintf("migration %d of %d", min(i, pending), pending))
		r, err := upByOne(ctx, provider, log)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		log.InfoContext(ctx, "migration applied", "migration", r.Source.Path, "seconds", r.Duration.Seconds())
	}
}

// grantsSQL makes a statement for every table, sequence and function of the
// owner; what belongs to an extension is not ours to grant. A function that
// does more than its caller may is revoked from PUBLIC, so it has to be granted.
const grantsSQL = `SELECT format(CASE relkind WHEN 'S' THEN 'GRANT USAGE, SELECT ON SEQUENCE %s TO %I'
  ELSE 'GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I' END, oid::regclass, $1::text)
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
AND pg_has_role(relowner, 'USAGE') AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')
UNION ALL SELECT format('GRANT EXECUTE ON ROUTINE %s TO %I', oid::regprocedure, $1::text)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
AND pg_has_role(proowner, 'USAGE') AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')`

// grantServing gives the serving role its rights on all that exists now; it
// runs after every migration, so that new tables are covered too.
func grantServing(ctx context.Context, db *sql.DB, role string) error {
	statements, err := grants(ctx, db, role)
	if err != nil {
		return fmt.Errorf("list rights of the serving role: %w", err)
	}
	r := pgx.Identifier{role}.Sanitize()
	statements = append(statements,
		"GRANT USAGE ON SCHEMA public TO "+r,
		"REVOKE INSERT, UPDATE, DELETE ON "+versionTable+" FROM "+r)
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("grant rights to the serving role: %w", err)
		}
	}
	return nil
}

func grants(ctx context.Context, db *sql.DB, role string) (statements []string, err error) {
	rows, err := db.QueryContext(ctx, grantsSQL, role)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var statement string
		if err := rows.Scan(&statement); err != nil {
			return nil, err
		}
		statements = append(statements, statement)
	}
	return statements, rows.Err()
}

// CheckSchema returns ErrSchemaTooOld unless all embedded migrations have been
// applied. A newer schema is accepted: migrations first add, and remove only
// what no running version uses.
func CheckSchema(ctx context.Context, pool *pgxpool.Pool, migrations fs.FS) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	need, err := newestVersion(migrations)
	if err != nil {
		return err
	}
	var exists bool
	if err := pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable).Scan(&exists); err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	if !exists {
		return fmt.Errorf("%w (it has none of them)", ErrSchemaTooOld)
	}
	var have int64
	if err := pool.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable+" WHERE is_applied").Scan(&have); err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	if have < need {
		return fmt.Errorf("%w (it is at %d, needed is %d)", ErrSchemaTooOld, have, need)
	}
	return nil
}

func newestVersion(migrations fs.FS) (int64, error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	var newest int64
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("migration %s: %w", name, err)
		}
		newest = max(newest, v)
	}
	if newest == 0 {
		return 0, errors.New("no migrations are embedded")
	}
	return newest, nil
}
