package stolentoken

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/e2e/stand"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

// Paused is what happened with a replica that stood still.
type Paused struct {
	Waited   time.Duration // how long the revoking call took
	Admitted bool          // whether the replica let the token in after it woke up
}

// PausedReplica stops a replica of orders of its own, ends a token, wakes the
// replica up and calls it at once.
func PausedReplica(ctx context.Context, s *stand.Stand) (result Paused, err error) {
	p, err := s.StartService(ctx, "orders", nil)
	if err != nil {
		return Paused{}, err
	}
	defer p.Kill()
	auth, err := s.DialAuth()
	if err != nil {
		return Paused{}, err
	}
	defer auth.Close()
	conn, err := stand.Dial(p.GRPC)
	if err != nil {
		return Paused{}, err
	}
	defer conn.Close()
	r := &round{auth: auth, replicas: []ordersv1.OrderQueryServiceClient{ordersv1.NewOrderQueryServiceClient(conn)}}
	if err := r.steal(ctx); err != nil {
		return Paused{}, err
	}
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return Paused{}, err
	}
	start := time.Now()
	if err := r.logout(ctx); err != nil {
		return Paused{}, fmt.Errorf("logout beside a stopped replica: %w", err)
	}
	result.Waited = time.Since(start)
	if err := p.Signal(syscall.SIGCONT); err != nil {
		return Paused{}, err
	}
	result.Admitted, err = refusedOrUnknown(ctx, r)
	return result, err
}
