package lifecycle_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// A stop could not finish its work. The report says how much is left and what it was waiting for, without anybody
// having to reproduce it.
func Example_nameWhatWasLost() {
	group, err := lifecycle.New(
		lifecycle.WithBudget(lifecycle.Drain, 50*time.Millisecond, 100*time.Millisecond),
		lifecycle.WithReportWriter(io.Discard), // a process leaves this out: the report goes to standard error
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = group.Add(lifecycle.Part{
		Name:      "uploads",
		Phase:     lifecycle.Drain,
		Remaining: func() int64 { return 2 }, // a part without Stop is done when nothing remains
		Stuck:     func() []string { return []string{"invoice-17.pdf to 192.0.2.1", "invoice-18.pdf to 192.0.2.1"} },
	})
	if err != nil {
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
			fmt.Println(part.Name, part.Outcome, "with", *part.RemainingAfter, "left:")
			for _, line := range part.Stuck {
				fmt.Println(" ", line)
			}
		}
	}
	fmt.Println("exit code", lifecycle.ExitCode(err))
	// Output:
	// uploads forced with 2 left:
	//   invoice-17.pdf to 192.0.2.1
	//   invoice-18.pdf to 192.0.2.1
	// exit code 3
}
