package platform

import (
	"os"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/rolling"
)

const (
	// endpointDelay is what passes until clients know that an endpoint came or went.
	endpointDelay = 250 * time.Millisecond
	// propagation is what a replica is told of that: with the margin for this machine that a cluster needs as well.
	propagation = 2 * time.Second
)

func TestARollingRestartOfOrdersFailsNoCall(t *testing.T) {
	rounds := 3
	if os.Getenv("CURFEW_TEST_SIZE") == "soak" {
		rounds = 20
	}
	got, err := rolling.Run(t.Context(), platform, rolling.Options{Rounds: rounds, Propagation: propagation, Delay: endpointDelay})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d restarts: %d queries, %d orders, %d queries on new connections, %d failed", got.Restarts, got.Queries, got.Orders, got.Fresh, got.Failed)
	if got.Failed != 0 {
		t.Errorf("%d calls failed: %q", got.Failed, got.Failures)
	}
	if got.Restarts != 3*rounds || got.Queries == 0 || got.Orders == 0 || got.Fresh == 0 {
		t.Errorf("the load did nothing: %+v", got)
	}
	if got.Stored != got.Orders {
		t.Errorf("%d orders were answered, %d are stored", got.Orders, got.Stored)
	}
	if len(got.Unclean) > 0 {
		t.Errorf("stops that were not clean: %q", got.Unclean)
	}
}

// The same restart and the same clients, but each replica closes its listener
// at once: whoever has not heard of it yet is refused.
func TestWithoutTheAnnouncePhaseTheSameRollingRestartFailsCalls(t *testing.T) {
	got, err := rolling.Run(t.Context(), platform, rolling.Options{Rounds: 1, Propagation: 0, Delay: 4 * endpointDelay})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d restarts: %d queries, %d orders, %d queries on new connections, %d failed: %q",
		got.Restarts, got.Queries, got.Orders, got.Fresh, got.Failed, got.Failures)
	if got.Failed == 0 {
		t.Error("no call failed: the load does not see what the Announce phase is for")
	}
	if got.Stored < got.Orders {
		t.Errorf("%d orders were answered, %d are stored", got.Orders, got.Stored)
	}
}
