package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
)

func TestFeedIsAStoreOfTheLeasedFeed(t *testing.T) {
	feedtest.RunStore(t, func(t *testing.T) feedtest.Backend {
		d := open(t)
		return feedtest.Backend{
			Store: postgres.NewFeed(d.pool),
			Begin: func(ctx context.Context, rules ...revocation.Rule) (int64, func() error, error) {
				tx, err := d.pool.Begin(ctx)
				if err != nil {
					return 0, nil, err
				}
				seq, err := d.Append(ctx, tx, rules...)
				if err != nil {
					return 0, nil, err
				}
				return seq, func() error { return tx.Commit(ctx) }, nil
			},
		}
	})
}

// A server that answers commits before they are on disk loses them in a crash:
// the revocation would be forgotten after its call returned, and its number
// given to another one.
func TestRevocationsAndRowsAreOnDiskWhereTheServerIsSetToLoseCommits(t *testing.T) {
	d := open(t, 1)
	d.exec(t, `SET synchronous_commit = off`)
	for name, write := range map[string]func() error{
		"a revocation": func() error {
			tx, err := d.pool.Begin(t.Context())
			if err != nil {
				return err
			}
			if _, err := d.Append(t.Context(), tx, revocation.Rule{Kind: revocation.KindToken, Issuer: issuer, ID: "id"}); err != nil {
				return err
			}
			return tx.Commit(t.Context())
		},
		"a row": func() error {
			_, err := postgres.NewFeed(d.pool).Renew(t.Context(), feed.Renewal{RowKey: feed.RowKey{Replica: "a", Incarnation: "a"}, Length: time.Second})
			return err
		},
	} {
		before := scan[string](t, d, `SELECT pg_current_wal_insert_lsn()::text`)
		if err := write(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !scan[bool](t, d, `SELECT pg_current_wal_flush_lsn() > $1::pg_lsn`, before) {
			t.Errorf("%s is not on disk when its commit is answered", name)
		}
	}
	if got := scan[string](t, d, `SHOW synchronous_commit`); got != "off" {
		t.Errorf("the setting of the session is %s afterwards", got)
	}
}
