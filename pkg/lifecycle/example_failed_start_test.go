package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// A part fails to start: what had started before is stopped, what had not is left alone, and the process says why.
func Example_undoAStartThatFailed() {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	parts := []lifecycle.Part{
		{Name: "database", Phase: lifecycle.Close, Start: say("connect"), Stop: say("disconnect")},
		{Name: "membership", Phase: lifecycle.Leave, Start: func(context.Context) error { return errors.New("no broker") }, Stop: say("leave")},
		{Name: "listener", Phase: lifecycle.IntakeOff, Start: say("listen"), Stop: say("stop listening")},
	}
	for _, p := range parts {
		if err := group.Add(p); err != nil {
			fmt.Println(err)
			return
		}
	}
	err = group.Run(context.Background())
	fmt.Println(err)
	fmt.Println("exit code", lifecycle.ExitCode(err))
	// Output:
	// connect
	// disconnect
	// start of part "membership": no broker
	// exit code 1
}
