package database_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var (
	first  = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE things (id int PRIMARY KEY);\n")}
	second = &fstest.MapFile{Data: []byte(`-- +goose Up
ALTER TABLE things ADD COLUMN name text;
CREATE FUNCTION prepare() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT';
REVOKE ALL ON FUNCTION prepare() FROM PUBLIC;
`)}
	old   = fstest.MapFS{"00001_things.sql": first}
	newer = fstest.MapFS{"00001_things.sql": first, "00002_names.sql": second}
	quiet = slog.New(slog.DiscardHandler)
)

func TestSeveralMigrationsAtOnceApplyEachFileOnce(t *testing.T) {
	url := pgtest.Database(t, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := database.Migrate(t.Context(), url, "", newer, quiet); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM goose_db_version WHERE version_id > 0").Scan(&n); err != nil || n != 2 {
		t.Errorf("%d migrations noted, %v", n, err)
	}
}

func TestAServiceRefusesAnOlderSchemaAndAcceptsANewerOne(t *testing.T) {
	url := pgtest.Database(t, nil)
	pool, err := database.Open(t.Context(), url, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := database.CheckSchema(t.Context(), pool, old); !errors.Is(err, database.ErrSchemaTooOld) {
		t.Errorf("empty database: err = %v", err)
	}
	if err := database.Migrate(t.Context(), url, "", old, quiet); err != nil {
		t.Fatal(err)
	}
	if err := database.CheckSchema(t.Context(), pool, newer); !errors.Is(err, database.ErrSchemaTooOld) {
		t.Errorf("older schema: err = %v", err)
	}
	if err := database.Migrate(t.Context(), url, "", newer, quiet); err != nil {
		t.Fatal(err)
	}
	if err := database.CheckSchema(t.Context(), pool, old); err != nil {
		t.Errorf("newer schema: err = %v", err)
	}
}

// Rolling back is rolling out the old version, whose migrate runs again.
func TestMigrateOfAnOlderVersionLeavesANewerSchemaAsItIs(t *testing.T) {
	url := pgtest.Database(t, nil)
	for _, version := range []fstest.MapFS{old, newer, old} {
		if err := database.Migrate(t.Context(), url, "", version, quiet); err != nil {
			t.Fatal(err)
		}
	}
	pool, err := database.Open(t.Context(), url, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for name, version := range map[string]fstest.MapFS{"older": old, "newer": newer} {
		if err := database.CheckSchema(t.Context(), pool, version); err != nil {
			t.Errorf("the %s version: %v", name, err)
		}
	}
}

func TestTheServingRoleReadsAndWritesRowsAndHasNoDDLRights(t *testing.T) {
	owner := pgtest.Database(t, nil)
	conn, err := pgx.Connect(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	role := "serving_" + strings.TrimPrefix(conn.Config().Database, "test_")
	if _, err := conn.Exec(t.Context(), "CREATE ROLE "+role); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), owner)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	})
	if err := database.Migrate(t.Context(), owner, role, newer, quiet); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SET ROLE "+role); err != nil {
		t.Fatal(err)
	}
	for statement, allowed := range map[string]bool{
		"INSERT INTO things VALUES (1, 'a')":           true,
		"UPDATE things SET name = 'b'":                 true,
		"DELETE FROM things":                           true,
		"SELECT max(version_id) FROM goose_db_version": true,
		"SELECT prepare()":                             true,
		"DELETE FROM goose_db_version":                 false,
		"ALTER TABLE things ADD COLUMN more int":       false,
		"CREATE TABLE others (id int)":                 false,
		"DROP TABLE things":                            false,
	} {
		if _, err := conn.Exec(t.Context(), statement); (err == nil) != allowed {
			t.Errorf("%s: err = %v, allowed = %v", statement, err, allowed)
		}
	}
}

func TestEveryWaitOfAPoolIsBounded(t *testing.T) {
	cfg, err := database.ParseURL("postgres://u:secret@localhost/db", "orders")
	if err != nil {
		t.Fatal(err)
	}
	for _, param := range []string{"statement_timeout", "idle_in_transaction_session_timeout", "application_name"} {
		if cfg.ConnConfig.RuntimeParams[param] == "" {
			t.Errorf("%s is not set", param)
		}
	}
	if cfg.ConnConfig.ConnectTimeout <= 0 {
		t.Error("connecting has no limit")
	}
	own, err := database.ParseURL("postgres://u@localhost/db?statement_timeout=1s", "orders")
	if err != nil || own.ConnConfig.RuntimeParams["statement_timeout"] != "1s" {
		t.Errorf("the URL's own setting is lost: %v", err)
	}
}

func TestAPasswordIsNeverPrinted(t *testing.T) {
	for _, url := range []string{
		"postgres://u:s3cret@localhost/db",
		"postgres://u@localhost/db?password=s3cret",
		"host=localhost password=s3cret",
		"postgres://u:s3cret@local host:bad/db",
	} {
		if got := database.Redact(url); strings.Contains(got, "s3cret") {
			t.Errorf("Redact(%q) = %q", url, got)
		}
		if _, err := database.ParseURL(url, "test"); err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("ParseURL(%q): %v", url, err)
		}
	}
}

// An extension in the same schema belongs to the server's administrator.
func TestMigratingAsAnOwnerLeavesWhatExtensionsOwnAlone(t *testing.T) {
	admin := pgtest.Database(t, nil)
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	name := strings.TrimPrefix(conn.Config().Database, "test_")
	owner, serving := "owner_"+name, "serving_"+name
	for _, statement := range []string{
		"CREATE EXTENSION pg_stat_statements",
		"CREATE ROLE " + owner + " LOGIN PASSWORD 'owner'",
		"CREATE ROLE " + serving,
		"GRANT ALL ON SCHEMA public TO " + owner,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), admin)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		for _, role := range []string{owner, serving} {
			if _, err := conn.Exec(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
				t.Error(err)
			}
		}
	})
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(owner, "owner")
	if err := database.Migrate(t.Context(), u.String(), serving, newer, quiet); err != nil {
		t.Fatal(err)
	}
}
