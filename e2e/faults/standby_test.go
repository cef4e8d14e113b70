package faults_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/e2e/faults"
	"github.com/curfew-platform/curfew/e2e/faults/replica"
)

// TestADatabaseThatIsAStandby: a former primary that came back, or a URL with a
// host too many. It answers, and what it does not know yet would be missed.
func TestADatabaseThatIsAStandbyIsNoDatabaseForTheFeedNorForIntrospection(t *testing.T) {
	t.Parallel()
	s := newScene(t, 0)
	if err := s.installation.Demote(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The leases end, although the database is there. Some server may grant for
	// longer than the others, and none for longer than its row lease.
	last := time.NewTimer(rowLease)
	defer last.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for over := false; !over; {
		if err := s.token.Look(t.Context(), s.replica); err != nil && status.Code(err) != codes.Unavailable {
			t.Error(err)
		}
		select {
		case <-tick.C:
		case <-last.C:
			over = true
		}
	}
	if err := s.token.Look(t.Context(), s.replica); status.Code(err) != codes.Unavailable {
		t.Errorf("the leases go on: %v", err)
	}
	for range 10 {
		<-tick.C
		ctx, cancel := context.WithTimeout(s.token.Context(t.Context()), calm)
		err := faults.Call(ctx, s.replica, replica.LookAsking)
		cancel()
		if status.Code(err) != codes.Unavailable {
			t.Fatalf("introspection answers from a standby: %v", err)
		}
	}
	if err := s.installation.RestorePrimary(t.Context()); err != nil {
		t.Fatal(err)
	}
	recovers(t, s.installation, s.clients)
}
