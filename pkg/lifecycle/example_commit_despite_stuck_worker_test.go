package lifecycle_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// A worker hangs and ignores its context. The offsets are committed all the same, and the report names the worker.
func Example_commitDespiteAStuckWorker() {
	group, err := lifecycle.New(
		lifecycle.WithGrace(time.Second), lifecycle.WithReserve(500*time.Millisecond),
		lifecycle.WithBudget(lifecycle.IntakeOff, 0, 0),
		lifecycle.WithBudget(lifecycle.Drain, 50*time.Millisecond, 100*time.Millisecond),
		lifecycle.WithBudget(lifecycle.Commit, 200*time.Millisecond, 0),
		lifecycle.WithBudget(lifecycle.Leave, 0, 0),
		lifecycle.WithBudget(lifecycle.Close, 50*time.Millisecond, 0),
		lifecycle.WithReportWriter(io.Discard),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	release := make(chan struct{}) // after the example
	defer close(release)
	group.Go("worker", func(context.Context) error {
		<-release // hangs through the whole stop
		return nil
	})
	if err := group.Add(lifecycle.Part{Name: "offsets", Phase: lifecycle.Commit, Stop: say("commit offsets")}); err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		<-group.Started()
		group.Shutdown(nil)
	}()

	err = group.Run(context.Background())
	for _, phase := range group.Report().Phases {
		for _, part := range phase.Parts {
			fmt.Printf("%v: %s %s\n", phase.Phase, part.Name, part.Outcome)
		}
	}
	fmt.Println("exit code", lifecycle.ExitCode(err))
	// Output:
	// commit offsets
	// drain: worker abandoned
	// commit: offsets clean
	// exit code 3
}
