package stop

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curfew-platform/curfew/e2e/stand"
)

// notReady returns how long it takes until a replica of orders that got SIGTERM
// says so on both faces of its health. Who asks competes for the CPUs like
// everybody else.
func notReady(ctx context.Context, s *stand.Stand) ([]time.Duration, error) {
	crowd, err := newCrowd(ctx, busyShare*runtime.NumCPU())
	if err != nil {
		return nil, err
	}
	defer crowd.disperse()
	var took []time.Duration
	for range samples {
		d, err := leave(ctx, s, crowd)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	return took, nil
}

func leave(ctx context.Context, s *stand.Stand, crowd *crowd) (time.Duration, error) {
	p, err := s.StartService(ctx, "orders", nil, "--log-kafka-brokers", "", "--grace", grace.String(), "--propagation", propagation.String())
	if err != nil {
		return 0, err
	}
	defer p.Kill()
	w, err := watch(ctx, p.GRPC)
	if err != nil {
		return 0, err
	}
	defer w.close()
	if err := crowd.run(true); err != nil {
		return 0, err
	}
	defer func() { _ = crowd.run(false) }()

	var asked errgroup.Group
	start := time.Now()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	asked.Go(w.left)
	asked.Go(func() error { return untilUnready(ctx, p.HTTP) })
	if err := asked.Wait(); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// untilUnready asks /readyz without a pause until it says no.
func untilUnready(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", http.NoBody)
		if err != nil {
			return fmt.Errorf("ask /readyz: %w", err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("ask /readyz: %w", err)
		}
		if err := res.Body.Close(); err != nil {
			return fmt.Errorf("ask /readyz: %w", err)
		}
		if res.StatusCode != http.StatusOK {
			return nil
		}
	}
}

// crowd are processes that are busy, or stand still.
type crowd struct {
	members []*exec.Cmd
	close   []func() error
}

func newCrowd(ctx context.Context, n int) (*crowd, error) {
	c := &crowd{}
	for range n {
		cmd, stdin, _, err := child(ctx, burnChild)
		if err != nil {
			c.disperse()
			return nil, err
		}
		c.members = append(c.members, cmd)
		c.close = append(c.close, stdin.Close)
		if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			c.disperse()
			return nil, fmt.Errorf("signal: %w", err)
		}
	}
	return c, nil
}

func (c *crowd) run(busy bool) error {
	sig := syscall.SIGSTOP
	if busy {
		sig = syscall.SIGCONT
	}
	for _, m := range c.members {
		if err := m.Process.Signal(sig); err != nil {
			return fmt.Errorf("signal: %w", err)
		}
	}
	return nil
}

// disperse ends them all and waits.
func (c *crowd) disperse() {
	for i, m := range c.members {
		_ = c.close[i]()
		_ = m.Process.Kill()
		_ = m.Wait()
	}
}
