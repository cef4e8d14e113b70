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
	s := newScene(t, 0)
	if err := installation.Demote(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The leases end, although the database is there.
	start := time.Now()
	deadline := rowLease + ttl + busy
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		err := s.token.Look(t.Context(), s.replica)
		if err != nil {
			if status.Code(err) != codes.Unavailable {
				t.Error(err)
			}
			break
		}
		if time.Since(start) > deadline {
			t.Fatal("the leases go on")
		}
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
	if err := installation.RestorePrimary(t.Context()); err != nil {
		t.Fatal(err)
	}
	recovers(t, s.clients)
}
