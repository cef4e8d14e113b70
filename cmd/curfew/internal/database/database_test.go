package database_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/cmd/curfew/internal/database"
	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// service has names of its own: the server may be shared.
func service(t *testing.T, admin string) database.Service {
	t.Helper()
	u := connect(t, pgtest.Database(t, nil)).Config().Database
	s := database.Service{
		Name: "orders", Database: u + "_orders", Owner: u + "_owner", OwnerPassword: "o'wner", Role: u + "_role", RolePassword: "secret",
	}
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), admin)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close(context.Background()) }()
		for _, statement := range []string{
			"DROP DATABASE IF EXISTS " + s.Database + " WITH (FORCE)", "DROP ROLE IF EXISTS " + s.Role, "DROP ROLE IF EXISTS " + s.Owner,
		} {
			if _, err := conn.Exec(context.Background(), statement); err != nil {
				t.Error(err)
			}
		}
	})
	return s
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestTheOwnerMakesTablesAndTheServingRoleCannotEvenAfterASecondRun(t *testing.T) {
	admin := pgtest.Server(t)
	s := service(t, admin)
	for range 2 {
		if err := database.Prepare(t.Context(), admin, []database.Service{s}); err != nil {
			t.Fatal(err)
		}
	}
	ownerURL, err := s.OwnerURL(admin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, ownerURL).Exec(t.Context(), "CREATE TABLE things (id int)"); err != nil {
		t.Error(err)
	}
	roleURL, err := s.RoleURL(admin)
	if err != nil {
		t.Fatal(err)
	}
	serving := connect(t, roleURL)
	for _, statement := range []string{"CREATE TABLE other (id int)", "CREATE SCHEMA other", "CREATE TEMP TABLE other (id int)", "DROP TABLE things"} {
		_, err := serving.Exec(t.Context(), statement)
		if refused := (*pgconn.PgError)(nil); !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestAPasswordNeverReachesAnError(t *testing.T) {
	s := database.Service{Name: "orders", Database: "d", Owner: "o", Role: "r"}
	for _, admin := range []string{"postgres://postgres:hunter2@127.0.0.1:1/postgres", "hunter2://\x7f", "hunter2"} {
		err := database.Prepare(t.Context(), admin, []database.Service{s})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", admin, err)
		}
	}
	if _, err := s.RoleURL("hunter2"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestAMigrationMayTakeLongToConnectUnlessTheServersURLSaysHowLong(t *testing.T) {
	s := database.Service{Name: "orders", Database: "d", Owner: "o", Role: "r"}
	for admin, want := range map[string]string{
		"postgres://postgres@127.0.0.1/postgres?sslmode=disable":   "postgres://o:@127.0.0.1/d?connect_timeout=60&sslmode=disable",
		"postgres://postgres@127.0.0.1/postgres?connect_timeout=3": "postgres://o:@127.0.0.1/d?connect_timeout=3",
	} {
		if got, err := s.OwnerURL(admin); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}
