package feedtest_test

import (
	"context"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed/feedtest"
)

func TestMemoryIsAStore(t *testing.T) {
	feedtest.RunStore(t, func(*testing.T) feedtest.Backend {
		m := feedtest.NewMemory()
		return feedtest.Backend{
			Store: m,
			Begin: func(_ context.Context, rules ...revocation.Rule) (int64, func() error, error) {
				seq, commit := m.Begin(rules...)
				return seq, func() error { commit(); return nil }, nil
			},
		}
	})
}
