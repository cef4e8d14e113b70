package migration_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/fx"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// page: fx-before
func withHooks(running func()) *fx.App {
	return fx.New(fx.NopLogger,
		fx.Provide(
			func(life fx.Lifecycle) *Pool {
				pool := &Pool{}
				life.Append(fx.StopHook(pool.Close))
				return pool
			},
			func(life fx.Lifecycle, _ *Pool) *Consumer {
				consumer := NewConsumer(running)
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error, 1)
				life.Append(fx.StopHook(consumer.Commit)) // runs after the hook below, if there is time left
				life.Append(fx.StartStopHook(
					func() { go func() { done <- consumer.Run(ctx) }() },
					func(stop context.Context) error {
						cancel()
						select {
						case err := <-done:
							return err
						case <-stop.Done():
							return stop.Err() // the rest of the hooks is skipped
						}
					}))
				return consumer
			}),
		fx.Invoke(func(*Consumer) {}))
}

// page: fx-after
func withParts(running func()) error {
	var (
		consumer *Consumer
		pool     *Pool
	)
	// fx goes on building the graph. Only its Lifecycle is not used any more.
	app := fx.New(fx.NopLogger,
		fx.Provide(
			func() *Pool { return &Pool{} },
			func(*Pool) *Consumer { return NewConsumer(running) },
		),
		fx.Populate(&consumer, &pool))
	if err := app.Err(); err != nil {
		return err
	}
	group, err := lifecycle.New()
	if err != nil {
		return err
	}
	group.Go("consumer", consumer.Run)
	err = errors.Join(
		group.Add(lifecycle.Part{Name: "offsets", Phase: lifecycle.Commit, Stop: consumer.Commit}),
		group.Add(lifecycle.Part{Name: "pool", Phase: lifecycle.Close, Stop: func(context.Context) error {
			pool.Close()
			return nil
		}}),
	)
	if err != nil {
		return err
	}
	return group.Run(context.Background())
}

// page: end

func Example_withHooks() {
	// What App.Run does, with the signal sent when it listens.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	app := withHooks(func() {})
	if err := app.Start(ctx); err != nil {
		fmt.Println(err)
	}
	signals := app.Wait()
	terminate()
	<-signals
	if err := app.Stop(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// finish the batch
	// commit
	// close the pool
}

func Example_withParts() {
	fmt.Println("error:", withParts(terminate))
	// Output:
	// finish the batch
	// commit
	// close the pool
	// error: <nil>
}
