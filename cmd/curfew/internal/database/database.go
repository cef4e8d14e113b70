// Package database gives every service a database and two roles: an owner who
// migrates, and one that serves and has no right to change the schema.
package database

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Service is what one service needs.
type Service struct {
	Name, Database       string
	Owner, OwnerPassword string
	Role, RolePassword   string
}

// Prepare makes what is missing, on the server that a superuser's URL
// addresses, and sets the passwords anew. It is safe to repeat.
func Prepare(ctx context.Context, admin string, services []Service) error {
	if _, err := parse(admin); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		// The error of pgx names host, user and database, not the password.
		return fmt.Errorf("connect as the owner of the server: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, s := range services {
		err := s.prepare(ctx, conn)
		if err == nil {
			err = s.observe(ctx, admin)
		}
		if err != nil {
			return fmt.Errorf("database of %s: %w", s.Name, err)
		}
	}
	return nil
}

// OwnerURL addresses the service's database for migrations.
func (s Service) OwnerURL(admin string) (string, error) {
	owner, err := address(admin, s.Owner, s.OwnerPassword, s.Database)
	if err != nil {
		return "", err
	}
	return patient(owner)
}

// RoleURL addresses the service's database for serving.
func (s Service) RoleURL(admin string) (string, error) {
	return address(admin, s.Role, s.RolePassword, s.Database)
}

func (s Service) prepare(ctx context.Context, conn *pgx.Conn) error {
	if err := role(ctx, conn, s.Owner, s.OwnerPassword); err != nil {
		return err
	}
	if err := role(ctx, conn, s.Role, s.RolePassword); err != nil {
		return err
	}
	db, owner, serving := quote(s.Database), quote(s.Owner), quote(s.Role)
	var exists bool
	err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", s.Database).Scan(&exists)
	if err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	statements := []string{
		// An administrator who is no superuser has to be a member of the owner.
		"GRANT " + owner + " TO CURRENT_USER",
		"CREATE DATABASE " + db + " OWNER " + owner,
		"REVOKE ALL ON DATABASE " + db + " FROM PUBLIC",
		"GRANT CONNECT ON DATABASE " + db + " TO " + serving,
	}
	if exists {
		statements = statements[2:]
	}
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// observe lets the service's roles read how often each statement ran, where the
// server counts that and its owner may say so.
func (s Service) observe(ctx context.Context, admin string) error {
	target, err := databaseURL(admin, s.Database)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, target)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var possible bool
	err = conn.QueryRow(ctx, `SELECT rolsuper AND current_setting('shared_preload_libraries') ~ 'pg_stat_statements'
		FROM pg_roles WHERE rolname = current_user`).Scan(&possible)
	if err != nil {
		return fmt.Errorf("look for pg_stat_statements: %w", err)
	}
	if !possible {
		return nil
	}
	for _, statement := range []string{
		"CREATE EXTENSION IF NOT EXISTS pg_stat_statements",
		"GRANT pg_read_all_stats TO " + quote(s.Owner) + ", " + quote(s.Role),
		"GRANT EXECUTE ON FUNCTION pg_stat_statements_reset TO " + quote(s.Role),
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func role(ctx context.Context, conn *pgx.Conn, name, password string) error {
	var exists bool
	err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name).Scan(&exists)
	if err != nil {
		return fmt.Errorf("look for role %s: %w", name, err)
	}
	verb := "CREATE"
	if exists {
		verb = "ALTER"
	}
	// Roles take no parameters; the error must not quote the statement.
	secret := strings.ReplaceAll(password, "'", "''")
	if _, err := conn.Exec(ctx, verb+" ROLE "+quote(name)+" LOGIN PASSWORD '"+secret+"'"); err != nil {
		return fmt.Errorf("set up role %s: %w", name, err)
	}
	return nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func address(admin, role, password, database string) (string, error) {
	u, err := parse(admin)
	if err != nil {
		return "", err
	}
	u.User, u.Path = url.UserPassword(role, password), "/"+database
	return u.String(), nil
}

// patient lets a connection take long, unless the URL says how long it may. A
// migration connects once, beside all else that starts on a busy machine, and
// nothing comes after one that gave up.
func patient(address string) (string, error) {
	u, err := parse(address)
	if err != nil {
		return "", err
	}
	if query := u.Query(); !query.Has("connect_timeout") {
		query.Set("connect_timeout", "60")
		u.RawQuery = query.Encode()
	}
	return u.String(), nil
}

func databaseURL(admin, database string) (string, error) {
	u, err := parse(admin)
	if err != nil {
		return "", err
	}
	u.Path = "/" + database
	return u.String(), nil
}

func parse(admin string) (*url.URL, error) {
	u, err := url.Parse(admin)
	if err != nil || u.Host == "" { // The parser's own error would quote the password.
		return nil, errors.New("the database URL is not of the form postgres://user:password@host:port/database")
	}
	return u, nil
}
