// Package library stops the same two things, a part that drains and the commit
// after it, with one library each, the way its documentation shows.
package library

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/bench/peers/scenario"
)

// Library is a way to stop a process.
type Library struct {
	// Name is the import path as people say it, with the version for others than ours.
	Name string
	// Key is the name on a command line.
	Key string
	// run starts both parts, waits for the signal, stops them, and returns the exit code of the process.
	run func(s *scenario.Stage, log io.Writer) int
}

// Run is the life of a process. It returns the exit code.
func (l Library) Run(s *scenario.Stage, log io.Writer) int { return l.run(s, log) }

// All lists the libraries in the order of the tables.
func All() []Library {
	return []Library{
		{Name: "pkg/lifecycle", Key: "lifecycle", run: withLifecycle},
		{Name: "go.uber.org/fx v1.24.0", Key: "fx", run: withFx},
		{Name: "go-kratos/kratos v2.8.3", Key: "kratos", run: withKratos},
		{Name: "oklog/run v1.2.0", Key: "run", run: withRun},
		{Name: "thejerf/suture v4.0.6", Key: "suture", run: withSuture},
		{Name: "signal.NotifyContext, by hand", Key: "hand", run: byHand},
	}
}

// Find returns the library of a key.
func Find(key string) (Library, error) {
	for _, l := range All() {
		if l.Key == key {
			return l, nil
		}
	}
	return Library{}, fmt.Errorf("no library %q", key)
}

// failed is the exit code of a main function that says what went wrong.
func failed(log io.Writer, err error) int {
	_, _ = fmt.Fprintln(log, err)
	return 1
}

// readyOnceHandled tells that the process is ready as soon as something in it
// handles SIGTERM, for libraries that say nothing after they have begun to.
func readyOnceHandled(s *scenario.Stage) {
	signal.Ignore(syscall.SIGTERM) //nolint:forbidigo // Ends with the first signal.Notify.
	go func() {
		poll := time.NewTicker(time.Millisecond)
		defer poll.Stop()
		for signal.Ignored(syscall.SIGTERM) {
			<-poll.C
		}
		// That Notify may be under way still; this one waits for it.
		own := make(chan os.Signal, 1)
		signal.Notify(own, syscall.SIGTERM) //nolint:forbidigo // Given back at once.
		signal.Stop(own)
		s.Ready()
	}()
}
