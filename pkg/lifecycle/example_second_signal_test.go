package lifecycle_test

import (
	"context"
	"fmt"
	"io"
	"syscall"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Somebody is impatient and presses Ctrl-C twice: what is being drained is given up, what was done is still committed.
func Example_hurryWithASecondSignal() {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	signal := func() { _ = syscall.Kill(syscall.Getpid(), syscall.SIGINT) }
	group.Go("worker", func(ctx context.Context) error {
		<-ctx.Done() // the stop has begun, and the worker would like to end its batch
		return nil
	})
	parts := []lifecycle.Part{
		{Name: "long batch", Phase: lifecycle.Drain, Stop: func(ctx context.Context) error {
			signal()
			<-ctx.Done()
			fmt.Println("give up the batch:", context.Cause(ctx))
			return context.Cause(ctx)
		}},
		{Name: "offsets", Phase: lifecycle.Commit, Stop: say("commit offsets")},
	}
	for _, p := range parts {
		if err := group.Add(p); err != nil {
			fmt.Println(err)
			return
		}
	}
	go func() {
		<-group.Started()
		signal()
	}()
	err = group.Run(context.Background())
	fmt.Println("exit code", lifecycle.ExitCode(err))
	// Output:
	// give up the batch: second signal
	// commit offsets
	// exit code 3
}
