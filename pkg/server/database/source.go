package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxURLFile bounds what is read of a file, in bytes.
const maxURLFile = 8 << 10

// Source says where a database is: by its URL, or by a file that holds it, as
// ParseURL reads it. The file, and the files that the URL names (sslrootcert,
// sslcert, sslkey, passfile), are read again for every connection, so that a
// rotated password, another authority or another address need no restart.
type Source struct {
	URL string
	// File wins over URL. Only its owner and group may be able to read it.
	File string
	// Log is told of files that cannot be used any more; nil is nobody.
	Log *slog.Logger
}

// Given says whether there is a source at all.
func (s Source) Given() bool { return s.URL != "" || s.File != "" }

// Parse returns the configuration of a pool as ParseURL does. Its BeforeConnect
// sets where a connection goes, and as whom, to what the files say then, and to
// what they said before while they cannot be used. Settings of the session stay
// as they are.
func (s Source) Parse(application string) (*pgxpool.Config, error) {
	cfg, err := s.parse(application)
	if err != nil {
		return nil, err
	}
	l := &latest{source: s, config: cfg.ConnConfig.Copy()}
	if l.source.Log == nil {
		l.source.Log = slog.New(slog.DiscardHandler)
	}
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		l.set(c)
		return nil
	}
	return cfg, nil
}

func (s Source) parse(application string) (*pgxpool.Config, error) {
	databaseURL, err := s.read()
	if err != nil {
		return nil, err
	}
	cfg, err := ParseURL(databaseURL, application)
	if err != nil {
		return nil, s.named(err)
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

// read returns the URL. Errors never quote it.
func (s Source) read() (string, error) {
	if s.File == "" {
		return s.URL, nil
	}
	info, err := os.Stat(s.File)
	if err != nil {
		return "", fmt.Errorf("database URL file: %w", err)
	}
	if info.IsDir() {
		return "", s.named(errors.New("is a directory"))
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
