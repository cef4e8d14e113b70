package auth

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/server/database"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
)

// listening is how the connection is opened on which a replica is woken, and for
// how long it is used.
type listening struct {
	connect func(context.Context) (*pgx.Conn, error)
	age     time.Duration
}

// newListening opens nothing yet. Each connection is to what the files of the
// source say then, and to a primary: a standby cannot listen.
func newListening(source database.Source, application string) (listening, error) {
	settings, err := source.Parse(application)
	if err != nil {
		return listening{}, err
	}
	settings.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	connect := func(ctx context.Context) (*pgx.Conn, error) {
		now := settings.ConnConfig.Copy()
		if err := settings.BeforeConnect(ctx, now); err != nil {
			return nil, err
		}
		return pgx.ConnectConfig(ctx, now)
	}
	age := settings.MaxConnLifetime
	if spread := settings.MaxConnLifetimeJitter; spread > 0 {
		age += rand.N(spread)
	}
	return listening{connect: connect, age: age}, nil
}

// telling is the feed of an engine that tells the others when its watermark has
// moved: their revoking calls wait for it. The engine publishes for no other
// reason, so that being woken by this makes nobody publish.
type telling struct {
	*postgres.Feed
	tell func()
}

// Publish implements feed.Store.
func (t telling) Publish(ctx context.Context, key feed.RowKey, p feed.Progress) error {
	if err := t.Feed.Publish(ctx, key, p); err != nil {
		return err
	}
	t.tell()
	return nil
}
