package ordertest

import (
	"context"
	"testing"
	"time"
)

// LockAwaited is true once some statement in the database waits for a lock.
const LockAwaited = `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`

// untilLimit bounds every wait of a test, far above what a busy machine needs.
const untilLimit = 2 * time.Minute

// Until asks the database until the query answers true.
func (s *Shop) Until(t testing.TB, query string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), untilLimit)
	defer cancel()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		var yes bool
		if err := s.DB.QueryRow(ctx, query).Scan(&yes); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if yes {
			return
		}
		<-ticker.C
	}
}
