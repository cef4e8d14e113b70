package lifecycle_test

import (
	"context"
	"fmt"
	"io"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Parts can be added to a running group, and removed from it; each is stopped exactly once.
func Example_addAndRemoveWorkersWhileRunning() {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- group.Run(context.Background()) }()
	<-group.Started()

	for _, name := range []string{"partition 0", "partition 1"} {
		part := lifecycle.Part{Name: name, Phase: lifecycle.Drain, Start: say("take " + name), Stop: say("hand " + name + " back")}
		if err := group.Add(part); err != nil {
			fmt.Println(err)
		}
	}
	if err := group.Remove(context.Background(), "partition 0"); err != nil {
		fmt.Println(err)
	}
	group.Shutdown(nil)
	fmt.Println("error:", <-done)
	// Output:
	// take partition 0
	// take partition 1
	// hand partition 0 back
	// hand partition 1 back
	// error: <nil>
}
