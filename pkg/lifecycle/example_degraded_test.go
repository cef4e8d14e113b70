package lifecycle_test

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// A cache that all replicas share is down. The process is worse without it, but taking every replica out of traffic
// helps nobody: it says that it is degraded and goes on.
func Example_beDegradedWithoutBeingDead() {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	var down atomic.Bool
	err = group.Add(lifecycle.Part{Name: "cache", Phase: lifecycle.Close, Health: func() lifecycle.Health {
		if down.Load() {
			return lifecycle.Health{Condition: lifecycle.Degraded, Reason: "no connection, reading the database instead"}
		}
		return lifecycle.Health{}
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- group.Run(context.Background()) }()
	<-group.Started()

	for _, state := range []bool{false, true} {
		down.Store(state)
		status := group.Status()
		fmt.Printf("live %v, ready %v, cache %v, reason %q\n", status.Live, status.Ready, status.Parts[0].Condition, status.Reason)
	}
	group.Shutdown(nil)
	fmt.Println("exit code", lifecycle.ExitCode(<-done))
	// Output:
	// live true, ready true, cache ready, reason ""
	// live true, ready true, cache degraded, reason "cache is degraded: no connection, reading the database instead"
	// exit code 0
}
