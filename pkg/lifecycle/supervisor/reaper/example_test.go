package reaper_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor/reaper"
)

// A service without children of its own is given orphans too when it is PID 1:
// what somebody left who looked into the container.
func ExampleAdd() { //nolint:testableexamples // it needs to be PID 1
	g, err := lifecycle.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := reaper.Add(g, slog.Default()); err != nil {
		fmt.Println(err)
		return
	}
	// ... the parts of the service
	os.Exit(lifecycle.ExitCode(g.Run(context.Background())))
}
