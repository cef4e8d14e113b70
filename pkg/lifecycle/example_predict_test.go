package lifecycle_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// Is the grace long enough? A part that knows how long its drain would take says so, and the group adds up what a stop
// would take now. It is logged as a warning, and exported as a metric, before a deploy finds out.
func Example_askHowLongAStopWouldTake() {
	group, err := lifecycle.New(lifecycle.WithGrace(30*time.Second), lifecycle.WithReportWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	err = group.Add(lifecycle.Part{
		Name:          "exports",
		Phase:         lifecycle.Drain,
		Stop:          func(context.Context) error { return nil },
		EstimateDrain: func() time.Duration { return 40 * time.Second },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- group.Run(context.Background()) }()
	for group.Predict().At.IsZero() { // once a second
		<-time.After(10 * time.Millisecond)
	}
	prediction := group.Predict()
	fmt.Println(prediction)
	fmt.Println("enough:", prediction.Enough())
	group.Shutdown(nil)
	<-done
	// Output:
	// this stop would now take 40 s, the grace is 30 s: exports needs 40 s; drain would be cut off after 21.5 s
	// enough: false
}
