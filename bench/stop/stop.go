// Package stop measures what a user notices of a stop: how soon a process that
// got SIGTERM takes itself out of service on a machine that is busy, how soon an
// idle one is gone, and what the calls pay for it until then.
package stop

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/e2e/stand"
)

const (
	grace       = 30 * time.Second
	propagation = 2 * time.Second
	samples     = 20
	busyShare   = 8 // busy processes a CPU

	notReadyGoal = 500 * time.Millisecond
	idleGoal     = 50 * time.Millisecond
	pathGoal     = 1.02
)

// Run measures all of it: pairs of runs for the request path, 20 samples for
// each time.
func Run(ctx context.Context, s *stand.Stand, pairs int) ([]ratio.Result, []ratio.Budget, error) {
	path, err := requestPath(ctx, pairs)
	if err != nil {
		return nil, nil, err
	}
	least, err := idle(ctx, leastService)
	if err != nil {
		return nil, nil, err
	}
	orders, err := idle(ctx, ordersService(s))
	if err != nil {
		return nil, nil, err
	}
	leaving, err := notReady(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	return path, []ratio.Budget{
		{Name: "SIGTERM to exit, idle gRPC service with an idle client and an open health watch", Goal: idleGoal, Samples: least},
		{Name: "SIGTERM to exit, idle replica of orders: the same, with its pool and its feed", Goal: idleGoal, Samples: orders},
		{
			Name: fmt.Sprintf("SIGTERM to not ready, as health watch and /readyz say, orders beside %d busy processes a CPU (%d on %d)",
				busyShare, busyShare*runtime.NumCPU(), runtime.NumCPU()),
			Goal: notReadyGoal, Samples: leaving,
		},
	}, nil
}
