package lifecycle_test

import (
	"context"
	"fmt"
	"io"
	"syscall"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// A process gets SIGTERM, finishes what it has begun, makes it durable and exits with 0.
func Example_gracefulShutdown() {
	group, err := lifecycle.New(
		lifecycle.WithReportWriter(io.Discard), // os.Stderr by default
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	parts := []lifecycle.Part{
		{Name: "database", Phase: lifecycle.Close, Start: say("connect"), Stop: say("disconnect")},
		{Name: "offsets", Phase: lifecycle.Commit, Stop: say("commit offsets")},
		{Name: "listener", Phase: lifecycle.IntakeOff, Start: say("listen"), Stop: say("stop listening")},
	}
	for _, p := range parts {
		if err := group.Add(p); err != nil {
			fmt.Println(err)
			return
		}
	}
	group.Go("worker", func(ctx context.Context) error {
		<-ctx.Done()
		fmt.Println("finish the last batch")
		return nil
	})
	go func() {
		<-group.Started()
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
	}()

	err = group.Run(context.Background())
	fmt.Println("exit code", lifecycle.ExitCode(err)) // a main function calls os.Exit with it
	// Output:
	// connect
	// listen
	// stop listening
	// finish the last batch
	// commit offsets
	// disconnect
	// exit code 0
}

// say returns a Start or Stop that prints what it would do.
func say(what string) func(context.Context) error {
	return func(context.Context) error {
		fmt.Println(what)
		return nil
	}
}
