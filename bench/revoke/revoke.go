// Package revoke measures how long a revoking call waits for the replicas: over
// gRPC with 100 watchers of the real service, and on the core without a
// transport with 10,000 simulated ones, while they live and while all of them
// reconnect; and what a watcher and a rule cost in memory.
package revoke

import (
	"context"
	"time"

	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/e2e/stand"
)

// The numbers of the measurement.
const (
	watchers    = 100 // of the real service
	revocations = 200 // that wait for them
	simulated   = 10_000
	rounds      = 30 // of the simulation
	storms      = 3  // reconnections of all
	rules       = 1_000_000
	patience    = 5 * time.Minute
)

// Run measures all of it.
func Run(ctx context.Context, s *stand.Stand) ([]ratio.Budget, []Size, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	live, err := service(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	core, perWatcher, err := simulation(ctx, simulated, rounds)
	if err != nil {
		return nil, nil, err
	}
	return append(live, core...), append([]Size{perWatcher}, sizes()...), nil
}
