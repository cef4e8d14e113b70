package migration_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/oklog/run"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// page: run-before
func withActors(consumer *Consumer, pool *Pool) error {
	ctx, cancel := context.WithCancel(context.Background())
	var actors run.Group
	actors.Add(run.SignalHandler(context.Background(), syscall.SIGTERM, os.Interrupt))
	actors.Add(
		func() error { return consumer.Run(ctx) },
		func(error) { cancel() })
	err := actors.Run() // returns when every actor has, whenever that is
	if errors.Is(err, run.ErrSignal) {
		err = nil
	}
	timeout, cancelCommit := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancelCommit()
	err = errors.Join(err, consumer.Commit(timeout))
	pool.Close()
	return err
}

// page: run-after
func withGoroutines(consumer *Consumer, pool *Pool) error {
	group, err := lifecycle.New()
	if err != nil {
		return err
	}
	group.Go("consumer", consumer.Run) // an actor: if it fails, everything stops
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

func Example_withActors() {
	fmt.Println("error:", withActors(NewConsumer(terminateOnceHandled()), &Pool{}))
	// Output:
	// finish the batch
	// commit
	// close the pool
	// error: <nil>
}

func Example_withGoroutines() {
	fmt.Println("error:", withGoroutines(NewConsumer(terminate), &Pool{}))
	// Output:
	// finish the batch
	// commit
	// close the pool
	// error: <nil>
}
