package supervisor_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/supervisor"
)

// A foreign program, here sleep, runs as long as the group does and stops in
// the last phase, after everything that may need it.
func ExampleAdd_foreignProgram() {
	g, err := lifecycle.New(lifecycle.WithReportWriter(io.Discard), lifecycle.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = supervisor.Add(g, supervisor.Spec{
		Name:      "database",
		Path:      "/bin/sleep",
		Args:      []string{"60"},
		Plain:     true,
		Ready:     func(context.Context) error { return nil }, // for example a ping
		StopPhase: lifecycle.Close,
		Log:       slog.New(slog.DiscardHandler),
		OnExit: func(e supervisor.Exit) {
			fmt.Println(e.Name, e.Reason, "with", e.Step, "by", e.Signal)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		<-g.Started()
		fmt.Println("started")
		g.Shutdown(nil)
	}()
	fmt.Println("exit code", lifecycle.ExitCode(g.Run(context.Background())))
	// Output:
	// started
	// database stopped with drain by terminated
	// exit code 0
}

// One binary is both: the parent starts itself again with another command
// line, and the child attaches its own group to the supervisor.
func Example() { //nolint:testableexamples // it needs a process of its own
	run := func() error {
		g, err := lifecycle.New(lifecycle.WithGrace(30 * time.Second))
		if err != nil {
			return err
		}
		if supervisor.IsChild() {
			agent, err := supervisor.Attach(g)
			if err != nil {
				return err
			}
			g.Go("work", func(ctx context.Context) error {
				fmt.Println("slot", agent.Slot(), "generation", agent.Generation())
				<-ctx.Done() // Drain has come, or the parent has died
				return nil
			})
			return g.Run(context.Background())
		}
		_, err = supervisor.Add(g, supervisor.Spec{Name: "workers", Slots: 4, Args: []string{"worker"}})
		if err != nil {
			return err
		}
		return g.Run(context.Background())
	}
	os.Exit(lifecycle.ExitCode(run()))
}

// A worker reports its work, so that a hang is found, and serves the parent on
// the connection that the control channel uses.
func ExampleAgent_SetProgress() { //nolint:testableexamples // it needs a parent
	serve := func(g *lifecycle.Group, inFlight, finished func() int64) error {
		agent, err := supervisor.Attach(g)
		if err != nil {
			return err
		}
		agent.SetProgress(inFlight, finished)
		// workv1.RegisterWorkerServiceServer(agent.Server(), worker)
		return nil
	}
	_ = serve
}

// The supervisor says how each generation ended. A death by a signal that the
// supervisor did not send says nothing about the work the child was doing.
func ExampleExit() {
	blame := func(e supervisor.Exit) bool {
		if e.Reason != supervisor.ReasonExited {
			return false // the supervisor ended it
		}
		switch e.Signal {
		case 0:
			return e.Code == 2 // a Go program that panicked; see e.Stderr
		case syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGBUS:
			return true
		default:
			return false
		}
	}
	fmt.Println(blame(supervisor.Exit{Reason: supervisor.ReasonExited, Code: 2}))
	fmt.Println(blame(supervisor.Exit{Reason: supervisor.ReasonExited, Code: -1, Signal: syscall.SIGKILL}))
	fmt.Println(blame(supervisor.Exit{Reason: supervisor.ReasonUnresponsive, Code: 2}))
	// Output:
	// true
	// false
	// false
}
