package pgtest_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var migrations atomic.Int32

func migrate(ctx context.Context, url string) error {
	migrations.Add(1)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE things (id int PRIMARY KEY)"); err != nil {
		return err
	}
	return conn.Close(ctx)
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func TestEveryTestHasADatabaseOfItsOwnAndTheMigrationRunsOnce(t *testing.T) {
	for range 3 {
		t.Run("clone", func(t *testing.T) {
			conn := connect(t, pgtest.Database(t, migrate))
			if _, err := conn.Exec(t.Context(), "INSERT INTO things VALUES (1)"); err != nil {
				t.Fatal(err)
			}
		})
	}
	if n := migrations.Load(); n != 1 {
		t.Errorf("the migration ran %d times", n)
	}
}

func TestTheDatabaseIsGoneAfterTheTestEvenWithAnOpenConnection(t *testing.T) {
	var name string
	t.Run("user", func(t *testing.T) {
		url := pgtest.Database(t, nil)
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		name = conn.Config().Database
	})
	var count int
	err := connect(t, pgtest.Server(t)).
		QueryRow(t.Context(), "SELECT count(*) FROM pg_database WHERE datname = $1", name).Scan(&count)
	if err != nil || count != 0 {
		t.Fatalf("%d databases named %s are left: %v", count, name, err)
	}
}

func TestStatementsCanBeCounted(t *testing.T) {
	conn := connect(t, pgtest.Database(t, nil))
	if _, err := conn.Exec(t.Context(), "CREATE EXTENSION pg_stat_statements"); err != nil {
		t.Fatal(err)
	}
}
