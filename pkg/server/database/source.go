package database

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxURLFile bounds what is read of a file, in bytes.
const maxURLFile = 8 << 10

// Source says where a database is: by its URL, or by a file that holds it, as
// ParseURL reads it. A file is read again for every connection, so that a
// rotated password or another address needs no restart.
type Source struct {
	URL string
	// File wins over URL. Only its owner and group may be able to read it.
	File string
}

// Given says whether there is a source at all.
func (s Source) Given() bool { return s.URL != "" || s.File != "" }

// Parse returns the configuration of a pool as ParseURL does. Its pool asks
// Refresh before each connection.
func (s Source) Parse(application string) (*pgxpool.Config, error) {
	databaseURL, err := s.read()
	if err != nil {
		return nil, err
	}
	cfg, err := ParseURL(databaseURL, application)
	if err != nil {
		return nil, s.named(err)
	}
	if s.File != "" {
		cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error { return s.Refresh(c) }
	}
	return cfg, nil
}

// Open returns a pool on the database and does not wait for it: connections
// are made when they are first used.
func (s Source) Open(ctx context.Context, application string) (*pgxpool.Pool, error) {
	cfg, err := s.Parse(application)
	if err != nil {
		return nil, err
	}
	return open(ctx, cfg)
}

// Refresh sets where c connects to, and as whom, to what the file says now.
// Settings of the session stay as they are. Without a file it does nothing.
func (s Source) Refresh(c *pgx.ConnConfig) error {
	if s.File == "" {
		return nil
	}
	databaseURL, err := s.read()
	if err != nil {
		return err
	}
	now, err := ParseURL(databaseURL, "")
	if err != nil {
		return s.named(err)
	}
	c.Host, c.Port, c.Database = now.ConnConfig.Host, now.ConnConfig.Port, now.ConnConfig.Database
	c.User, c.Password = now.ConnConfig.User, now.ConnConfig.Password
	c.TLSConfig, c.SSLNegotiation, c.Fallbacks = now.ConnConfig.TLSConfig, now.ConnConfig.SSLNegotiation, now.ConnConfig.Fallbacks
	return nil
}

// read returns the URL. Errors never quote it.
func (s Source) read() (string, error) {
	if s.File == "" {
		return s.URL, nil
	}
	info, err := os.Stat(s.File)
	if err != nil {
		return "", fmt.Errorf("database URL file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return "", fmt.Errorf("database URL file %s is open to every user of the machine (mode %04o); set it to 0600 or 0640", s.File, mode)
	}
	if info.Size() > maxURLFile {
		return "", s.named(fmt.Errorf("longer than %d bytes", maxURLFile))
	}
	content, err := os.ReadFile(s.File)
	if err != nil {
		return "", fmt.Errorf("database URL file: %w", err)
	}
	databaseURL := strings.TrimSpace(string(content))
	if databaseURL == "" {
		return "", s.named(errors.New("empty"))
	}
	return databaseURL, nil
}

// named says of which file an error is.
func (s Source) named(err error) error {
	if s.File == "" {
		return err
	}
	return fmt.Errorf("database URL file %s: %w", s.File, err)
}
