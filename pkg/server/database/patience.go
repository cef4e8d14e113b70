package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
)

const (
	// lockTimeout is how long a migration waits for a table in one go: everything
	// that comes meanwhile waits behind it.
	lockTimeout = "1s"
	lockPause   = time.Second
	lockTries   = 300
)

// upByOne applies the next migration. While somebody has its tables, a backup
// for example, it tries again and again, and lets calls pass in between.
func upByOne(ctx context.Context, provider *goose.Provider, log *slog.Logger) (*goose.MigrationResult, error) {
	for try := 1; ; try++ {
		r, err := provider.UpByOne(ctx)
		if !taken(err) || try == lockTries {
			return r, err
		}
		if try == 1 {
			log.InfoContext(ctx, "migration waits for a table that is in use")
		}
		pause := time.NewTimer(lockPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, fmt.Errorf("waiting for a table: %w", context.Cause(ctx))
		}
	}
}

// taken says whether err is that of a lock that somebody else has.
func taken(err error) bool {
	const lockNotAvailable = "55P03"
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pe.Code == lockNotAvailable
}
