// Package pgtest gives every test a PostgreSQL database of its own: a clone of
// a template that was migrated once per test binary.
//
// The server is the one CURFEW_TEST_POSTGRES_URL addresses (as a superuser),
// or a private one that is started on first use and ends with the test binary.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// ServerVariable is the environment variable with the superuser URL of a
// shared server.
const ServerVariable = "CURFEW_TEST_POSTGRES_URL"

// patience bounds every statement of this package: cloning waits for a
// checkpoint on a busy machine.
const patience = 2 * time.Minute

// Migrate brings the empty database at url to the wanted schema. It has to
// close its connections before it returns.
type Migrate = func(ctx context.Context, url string) error

type template struct {
	once sync.Once
	name string
	err  error
}

// templates maps a migration function, by its code address, to its template.
var templates sync.Map //nolint:gochecknoglobals // One template per test binary is the purpose.

// Database returns the superuser URL of a fresh database for this test, which
// is dropped with all its connections at the test's end. The result of migrate
// is kept and cloned: two closures made at the same place of the source count
// as one, whatever they captured. A nil migrate gives an empty database.
func Database(t testing.TB, migrate Migrate) string {
	t.Helper()
	admin := Server(t)
	source := "template0"
	if migrate != nil {
		made, _ := templates.LoadOrStore(reflect.ValueOf(migrate).Pointer(), new(template))
		tpl := made.(*template) //nolint:forcetypeassert // Only templates are stored.
		tpl.once.Do(func() { tpl.name, tpl.err = makeTemplate(admin, migrate) })
		if tpl.err != nil {
			t.Fatalf("make the template database: %v", tpl.err)
		}
		source = tpl.name
	}
	name := "test_" + strings.ToLower(rand.Text()[:16])
	if err := execute(admin, "CREATE DATABASE "+name+" TEMPLATE "+source); err != nil {
		t.Fatalf("clone the template database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return address(admin, name)
}

func makeTemplate(admin string, migrate Migrate) (string, error) {
	name := "template_" + strings.ToLower(rand.Text()[:16])
	if err := execute(admin, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := migrate(ctx, address(admin, name)); err != nil {
		return "", fmt.Errorf("migrate: %w", err)
	}
	// A template with connections cannot be cloned, and a pool that a failing
	// migrate forgot would show as a puzzling error much later.
	if err := execute(admin, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false"); err != nil {
		return "", err
	}
	err := execute(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
	return name, err
}

func execute(admin, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return fmt.Errorf("connect to the test server: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// address returns the URL of another database on the same server.
func address(admin, database string) string {
	u, err := url.Parse(admin)
	if err != nil {
		return admin // Server has parsed it already.
	}
	u.Path = "/" + database
	return u.String()
}
