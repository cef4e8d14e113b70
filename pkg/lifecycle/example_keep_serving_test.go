package lifecycle_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// In Kubernetes clients hear of a stop later than the process does. Announce turns readiness negative and goes on
// serving until the news has spread.
func Example_keepServingUntilClientsKnow() {
	group, err := lifecycle.New(
		lifecycle.WithPropagation(150*time.Millisecond), // some seconds in a cluster
		lifecycle.WithReportWriter(io.Discard),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	var notReady time.Time
	parts := []lifecycle.Part{
		{Name: "readiness", Phase: lifecycle.Announce, Stop: func(context.Context) error {
			notReady = time.Now()
			return say("not ready")(nil)
		}},
		{Name: "listener", Phase: lifecycle.IntakeOff, Stop: func(context.Context) error {
			fmt.Println("served on for the propagation:", time.Since(notReady) >= 150*time.Millisecond)
			return say("stop listening")(nil)
		}},
	}
	for _, p := range parts {
		if err := group.Add(p); err != nil {
			fmt.Println(err)
			return
		}
	}
	go func() {
		<-group.Started()
		group.Shutdown(nil)
	}()
	fmt.Println("exit code", lifecycle.ExitCode(group.Run(context.Background())))
	// Output:
	// not ready
	// served on for the propagation: true
	// stop listening
	// exit code 0
}
