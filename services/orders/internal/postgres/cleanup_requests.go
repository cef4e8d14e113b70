package postgres

import (
	"context"

	"github.com/curfew-platform/curfew/pkg/server/idempotency"
)

// CleanUpRequests deletes at most limit requests whose answer is older than
// the retention, and returns how many.
func (s *Store) CleanUpRequests(ctx context.Context, limit int) (int, error) {
	n, err := idempotency.CleanUp(ctx, s.write, idempotency.Retention, limit)
	return n, unavailable(err)
}
