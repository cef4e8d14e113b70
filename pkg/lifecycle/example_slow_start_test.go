package lifecycle_test

import (
	"context"
	"fmt"
	"io"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// A migration takes long: the process is live and not ready meanwhile, and says how far it is. Nothing that needs the
// schema starts before it is done.
func Example_migrateBeforeReady() {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	half, goOn := make(chan struct{}), make(chan struct{})
	parts := []lifecycle.Part{
		{Name: "schema", Phase: lifecycle.Close, Start: func(ctx context.Context) error {
			lifecycle.Progress(ctx, "migration 1 of 2")
			close(half)
			<-goOn
			lifecycle.Progress(ctx, "migration 2 of 2")
			return nil
		}},
		{Name: "listener", Phase: lifecycle.IntakeOff, Start: say("listen"), Stop: say("stop listening")},
	}
	for _, p := range parts {
		if err := group.Add(p); err != nil {
			fmt.Println(err)
			return
		}
	}
	done := make(chan error, 1)
	go func() { done <- group.Run(context.Background()) }()

	<-half
	status := group.Status()
	fmt.Printf("%s, live %v, ready %v: %s\n", status.State, status.Live, status.Ready, status.Reason)
	close(goOn)
	<-group.Started()
	status = group.Status()
	fmt.Printf("%s, live %v, ready %v\n", status.State, status.Live, status.Ready)

	group.Shutdown(nil)
	fmt.Println("exit code", lifecycle.ExitCode(<-done))
	// Output:
	// starting, live true, ready false: waits for schema (migration 1 of 2)
	// listen
	// running, live true, ready true
	// stop listening
	// exit code 0
}
