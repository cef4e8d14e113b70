package postgres_test

import (
	"context"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
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
