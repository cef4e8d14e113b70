package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// A loop that must not end fails: the whole process stops in order and says why.
func Example_stopEverythingWhenALoopFails() {
	group, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := group.Add(lifecycle.Part{Name: "database", Phase: lifecycle.Close, Stop: say("disconnect")}); err != nil {
		fmt.Println(err)
		return
	}
	group.Go("relay", func(context.Context) error { return errors.New("disk full") })

	err = group.Run(context.Background())
	fmt.Println(err)
	fmt.Println("exit code", lifecycle.ExitCode(err))
	// Output:
	// disconnect
	// goroutine "relay": disk full
	// exit code 1
}
