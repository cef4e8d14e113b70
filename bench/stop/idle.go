package stop

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/curfew-platform/curfew/e2e/stand"
)

// service starts one, and returns its gRPC address and how to stop it: SIGTERM,
// and the time until it is gone.
type service func(ctx context.Context) (addr string, stop func() (time.Duration, error), err error)

func leastService(ctx context.Context) (string, func() (time.Duration, error), error) {
	cmd, _, addr, err := child(ctx, serveChild)
	if err != nil {
		return "", nil, err
	}
	return addr, func() (time.Duration, error) { return terminate(cmd) }, nil
}

func terminate(cmd *exec.Cmd) (time.Duration, error) {
	start := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, fmt.Errorf("signal: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return 0, fmt.Errorf("the stop was not clean: %w", err)
	}
	return time.Since(start), nil
}

func ordersService(s *stand.Stand) service {
	return func(ctx context.Context) (string, func() (time.Duration, error), error) {
		p, err := s.StartService(ctx, "orders", nil, "--log-kafka-brokers", "", "--grace", grace.String())
		if err != nil {
			return "", nil, err
		}
		return p.GRPC, func() (time.Duration, error) {
			took, killed, err := p.Stop(grace)
			if killed {
				return 0, errors.New("orders did not stop")
			}
			return took, err
		}, nil
	}
}

// idle returns how long it takes to stop a service that has a connected client
// with nothing to do but watch its health.
func idle(ctx context.Context, start service) ([]time.Duration, error) {
	var took []time.Duration
	for range samples {
		addr, stop, err := start(ctx)
		if err != nil {
			return nil, err
		}
		w, err := watch(ctx, addr)
		if err != nil {
			return nil, err
		}
		d, err := stop()
		w.close()
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	return took, nil
}

// watcher is a client with an open health watch that has said SERVING.
type watcher struct {
	conn   *grpc.ClientConn
	stream grpc.ServerStreamingClient[healthpb.HealthCheckResponse]
	cancel context.CancelFunc
}

func (w *watcher) close() {
	w.cancel()
	w.conn.Close()
}

func watch(ctx context.Context, addr string) (*watcher, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	w := &watcher{conn: conn, cancel: cancel}
	if w.stream, err = healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
		w.close()
		return nil, fmt.Errorf("watch: %w", err)
	}
	for {
		r, err := w.stream.Recv()
		if err != nil {
			w.close()
			return nil, fmt.Errorf("watch: %w", err)
		}
		if r.GetStatus() == healthpb.HealthCheckResponse_SERVING {
			return w, nil
		}
	}
}

// left waits until the service does not serve any more.
func (w *watcher) left() error {
	for {
		r, err := w.stream.Recv()
		if err != nil {
			return fmt.Errorf("the watch ended before the service said that it leaves: %w", err)
		}
		if r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			return nil
		}
	}
}
