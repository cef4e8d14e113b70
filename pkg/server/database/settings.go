package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
)

// Settings are the flags of a service that has a database. Embed them in its
// configuration.
type Settings struct {
	URL         string `name:"database-url" help:"PostgreSQL, as the serving role." placeholder:"URL"`
	URLFile     string `name:"database-url-file" help:"File that holds this URL instead, which only this service may read. Read again for each connection." type:"path"`
	MigrateURL  string `name:"migrate-database-url" help:"PostgreSQL, as the role that owns the schema; for migrate only." placeholder:"URL"`
	MigrateFile string `name:"migrate-database-url-file" help:"File that holds this URL instead, which only this service may read." type:"path"`
}

// Validate returns everything that is wrong for a serving process, the file of
// the URL and those that it names included. It connects to nothing.
func (s *Settings) Validate() error {
	if !s.Serving(nil).Given() {
		return errors.New("--database-url or --database-url-file is required")
	}
	if err := s.exclusive(); err != nil {
		return err
	}
	if _, err := s.Serving(nil).parse("check"); err != nil {
		flag := "--database-url"
		if s.URLFile != "" {
			flag = "--database-url-file"
		}
		return fmt.Errorf("%s: %w", flag, err)
	}
	return nil
}

func (s *Settings) exclusive() error {
	var errs []error
	if s.URL != "" && s.URLFile != "" {
		errs = append(errs, errors.New("--database-url and --database-url-file exclude each other"))
	}
	if s.MigrateURL != "" && s.MigrateFile != "" {
		errs = append(errs, errors.New("--migrate-database-url and --migrate-database-url-file exclude each other"))
	}
	return errors.Join(errs...)
}

// Serving is the database as the serving role. The log may be nil.
func (s *Settings) Serving(log *slog.Logger) Source {
	return Source{URL: s.URL, File: s.URLFile, Log: log}
}

// Migrate brings the schema up to date as its owner, and gives the user of the
// serving URL, if there is one, what serving needs, which is not DDL.
func (s *Settings) Migrate(ctx context.Context, migrations fs.FS, log *slog.Logger) error {
	owner := Source{URL: s.MigrateURL, File: s.MigrateFile}
	if !owner.Given() {
		return errors.New("--migrate-database-url or --migrate-database-url-file is required")
	}
	if err := s.exclusive(); err != nil {
		return err
	}
	ownerURL, err := owner.read()
	if err != nil {
		return err
	}
	role := ""
	if s.Serving(nil).Given() {
		serving, err := s.Serving(nil).Parse("migrate")
		if err != nil {
			return err
		}
		role = serving.ConnConfig.User
	}
	return Migrate(ctx, ownerURL, role, migrations, log)
}
