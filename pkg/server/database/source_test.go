package database_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/curfew-platform/curfew/pkg/localenv/pgtest"
	"github.com/curfew-platform/curfew/pkg/server/database"
)

// as is the URL with another user.
func as(t *testing.T, databaseURL, user string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, "s3cret")
	return u.String()
}

func put(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// roles makes two roles that may log in.
func roles(t *testing.T, admin string) (first, second string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	name := strings.TrimPrefix(conn.Config().Database, "test_")
	first, second = "first_"+name, "second_"+name
	for _, role := range []string{first, second} {
		if _, err := conn.Exec(t.Context(), "CREATE ROLE "+role+" LOGIN PASSWORD 's3cret'"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			conn, err := pgx.Connect(context.Background(), admin)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(context.Background())
			if _, err := conn.Exec(context.Background(), "DROP ROLE "+role); err != nil {
				t.Error(err)
			}
		})
	}
	return first, second
}

func TestTheFileOfTheURLIsReadAgainForEveryConnection(t *testing.T) {
	admin := pgtest.Database(t, nil)
	first, second := roles(t, admin)
	path := filepath.Join(t.TempDir(), "url")
	put(t, path, as(t, admin, first)+"\n", 0o640)
	pool, err := database.Source{File: path}.Open(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	user := func() (name string) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), "SELECT current_user").Scan(&name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if got := user(); got != first {
		t.Fatalf("connected as %q, want %q", got, first)
	}
	put(t, path, as(t, admin, second), 0o640)
	if got := user(); got != first {
		t.Errorf("an open connection became one of %q", got)
	}
	pool.Reset()
	if got := user(); got != second {
		t.Errorf("a new connection is of %q, the file says %q", got, second)
	}
	var timeout string
	if err := pool.QueryRow(t.Context(), "SHOW statement_timeout").Scan(&timeout); err != nil || timeout != "30s" {
		t.Errorf("statement_timeout of the new connection is %q, %v", timeout, err)
	}
}

func TestAURLFileThatOthersCanReadOrThatHoldsNoURLIsRefusedWithoutItsContent(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"open to everybody": {"postgres://u:s3cret@h/d", 0o644, "open to every user"},
		"empty":             {" \n", 0o600, "empty"},
		"no URL":            {"postgres://u:s3cret@local host:bad/db", 0o600, "cannot be parsed"},
		"too long":          {"postgres://u:s3cret@h/d?" + strings.Repeat("x", 9<<10), 0o600, "longer than"},
	} {
		path := filepath.Join(t.TempDir(), "url")
		put(t, path, c.content, c.mode)
		_, err := database.Source{File: path}.Parse("test")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (database.Source{File: filepath.Join(t.TempDir(), "none")}).Parse("test"); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestADatabaseIsGivenOnce(t *testing.T) {
	for want, s := range map[string]database.Settings{
		"--database-url or --database-url-file is required":                         {},
		"--database-url and --database-url-file exclude each other":                 {URL: "u", URLFile: "f"},
		"--migrate-database-url and --migrate-database-url-file exclude each other": {URL: "u", MigrateURL: "u", MigrateFile: "f"},
	} {
		if err := s.Validate(); err == nil || err.Error() != want {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	path := filepath.Join(t.TempDir(), "url")
	put(t, path, "postgres://h/d", 0o600)
	for _, s := range []database.Settings{{URL: "postgres://h/d"}, {URLFile: path, MigrateURL: "u"}} {
		if err := s.Validate(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestADatabaseThatCannotBeUsedIsRefusedByItsFlag(t *testing.T) {
	for want, s := range map[string]database.Settings{
		"--database-url: ":      {URL: "postgres://u:s3cret@h:99999/d"},
		"--database-url-file: ": {URLFile: filepath.Join(t.TempDir(), "none")},
		"is a directory":        {URLFile: t.TempDir()},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestMigrateTakesBothURLsFromFilesAndGrantsTheServingRole(t *testing.T) {
	admin := pgtest.Database(t, nil)
	serving, _ := roles(t, admin)
	dir := t.TempDir()
	s := database.Settings{URLFile: filepath.Join(dir, "url"), MigrateFile: filepath.Join(dir, "owner")}
	put(t, s.URLFile, as(t, admin, serving), 0o600)
	put(t, s.MigrateFile, admin, 0o600)
	if err := s.Migrate(t.Context(), newer, quiet); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), admin)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "DROP OWNED BY "+serving); err != nil {
			t.Error(err)
		}
	})
	pool, err := s.Serving(nil).Open(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), "INSERT INTO things VALUES (1, 'a')"); err != nil {
		t.Errorf("the serving role cannot write: %v", err)
	}
	if err := (&database.Settings{URL: admin}).Migrate(t.Context(), newer, quiet); err == nil || !strings.Contains(err.Error(), "is required") {
		t.Errorf("without an owner: %v", err)
	}
}
