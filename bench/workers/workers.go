// Package workers measures the supervisor: how soon many worker processes of
// the same binary are ready, and how soon one that was killed is again.
package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/bench/ratio"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
)

const (
	many   = 64
	starts = 10
	kills  = 20 // each of another worker: the first restart in a row is meant
	limit  = time.Minute

	startGoal   = 2 * time.Second
	restartGoal = 200 * time.Millisecond
)

// Main is the life of a worker, of which there is as little as possible. It
// returns the exit code.
func Main() int {
	return lifecycle.ExitCode(func() error {
		g, err := lifecycle.New()
		if err != nil {
			return err
		}
		if _, err := supervisor.Attach(g); err != nil {
			return err
		}
		return g.Run(context.Background())
	}())
}

// Run measures both. The program must call [Main] where supervisor.IsChild.
func Run(ctx context.Context) ([]ratio.Budget, error) {
	all := ratio.Budget{Name: fmt.Sprintf("start of %d minimal workers until the last is ready", many), Goal: startGoal}
	var own []time.Duration
	for range starts {
		c, err := start(ctx, many)
		if err != nil {
			return nil, err
		}
		all.Samples = append(all.Samples, c.took)
		if err := c.stop(); err != nil {
			return nil, err
		}
		one, err := start(ctx, 1)
		if err != nil {
			return nil, err
		}
		own = append(own, one.took)
		if err := one.stop(); err != nil {
			return nil, err
		}
	}
	alone := ratio.Budget{Samples: own}.Quantile(0.5)

	c, err := start(ctx, many)
	if err != nil {
		return nil, err
	}
	again := ratio.Budget{
		Name: fmt.Sprintf("SIGKILL of one of %d workers until its slot is ready again, without the start of a worker (p50 %v)", many, alone.Round(time.Millisecond)),
		Goal: restartGoal,
	}
	for slot := range kills {
		took, err := c.killAndAwait(ctx, slot)
		if err != nil {
			return nil, errors.Join(err, c.stop())
		}
		again.Samples = append(again.Samples, took-alone)
	}
	return []ratio.Budget{all, again}, c.stop()
}

// crew is a group with workers that are ready.
type crew struct {
	group *lifecycle.Group
	took  time.Duration
	done  chan error

	mu    sync.Mutex
	pids  map[int]int // by slot
	ready chan int    // slots that became ready
}

func start(ctx context.Context, slots int) (*crew, error) {
	g, err := lifecycle.New(lifecycle.WithoutSignals(), lifecycle.WithReportWriter(nil))
	if err != nil {
		return nil, err
	}
	c := &crew{group: g, done: make(chan error, 1), pids: map[int]int{}, ready: make(chan int, slots*2)}
	_, err = supervisor.Add(g, supervisor.Spec{
		Name: "minimal", Slots: slots, Log: slog.New(slog.DiscardHandler),
		OnReady: func(_ context.Context, child supervisor.Child) error {
			c.mu.Lock()
			c.pids[child.Slot()] = child.Pid()
			c.mu.Unlock()
			c.ready <- child.Slot()
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	go func() { c.done <- g.Run(ctx) }()
	select {
	case <-g.Started():
	case err := <-c.done:
		return nil, fmt.Errorf("%d workers: %w", slots, err)
	}
	c.took = time.Since(begin)
	for range slots {
		<-c.ready
	}
	return c, nil
}

func (c *crew) stop() error {
	c.group.Shutdown(nil)
	return <-c.done
}

// killAndAwait kills the worker of a slot, and returns how long it takes until
// the next one is ready.
func (c *crew) killAndAwait(ctx context.Context, slot int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c.mu.Lock()
	pid := c.pids[slot]
	c.mu.Unlock()
	begin := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return 0, fmt.Errorf("kill a worker: %w", err)
	}
	select {
	case got := <-c.ready:
		if got != slot {
			return 0, fmt.Errorf("slot %d became ready, slot %d was killed", got, slot)
		}
		return time.Since(begin), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("slot %d did not become ready again: %w", slot, context.Cause(ctx))
	}
}
