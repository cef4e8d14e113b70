package supervisor_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
)

// As the first process of a container: the program that does the work is a
// child, which is told to stop when the container is, and started again when it
// dies. Orphans are collected without another word. ENTRYPOINT is this program.
func ExampleAdd_runAsPID1InAContainer() {
	g, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard), lifecycle.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = supervisor.Add(g, supervisor.Spec{
		Name: "program", Plain: true,
		Path: "/bin/sh", Args: []string{"-c", "exit 7"},
		Restart: supervisor.RestartPolicy{Intensity: 1},
		Log:     slog.New(slog.DiscardHandler),
		OnExit:  func(e supervisor.Exit) { fmt.Println("the program ended with", e.Code) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The container ends with an error when restarting does not help.
	fmt.Println("exit code", lifecycle.ExitCode(g.Run(context.Background())))
	// Output:
	// the program ended with 7
	// the program ended with 7
	// exit code 1
}
