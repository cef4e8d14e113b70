// Package reaper collects the dead that nobody else collects, for programs that
// run as PID 1.
//
// The kernel gives a process whose parent has died to PID 1 of its pid
// namespace, the first process of a container, or to a subreaper. There it stays
// a zombie after its end until somebody waits for it. A plain wait for any child
// would do, and would now and then collect the status of a child that another
// part of the program had started and waits for.
//
// This package waits for no process that has an owner. Whoever starts a process
// by package os has a pidfd of it, from before the process runs until its status
// is collected. An ended process that no pidfd of this program refers to was
// started by somebody else and given to this one. So nothing has to be registered,
// and os/exec may be used anywhere in the program.
//
// A child that was started by syscall.ForkExec, or by C, has no pidfd: its status
// may be collected here. Linux 5.4 or later is needed, and a /proc of the pid
// namespace of the program. Elsewhere no process is given others' children, and
// the package does nothing.
package reaper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

const (
	// pause is the least time between two sweeps, so that many ends cost few.
	pause = 10 * time.Millisecond
	// every is how long an end may go unnoticed whose signal was one with
	// another's: SIGCHLD does not count.
	every = time.Second
)

// ErrUnsupported means that this process can't tell whose a dead child is, so
// that it must not collect any.
var ErrUnsupported = errors.New("reaper: no pidfd or no /proc of this pid namespace")

// Add makes a group reap as long as it runs. It adds the part "reaper", which
// starts first and stops last. In a process that is neither PID 1 nor a
// subreaper the part does nothing; package supervisor reaps by itself where it
// runs children.
func Add(g *lifecycle.Group, log *slog.Logger) error {
	var release func()
	err := g.Add(lifecycle.Part{
		Name: "reaper", Phase: lifecycle.Close,
		Start: func(context.Context) (err error) {
			release, err = Hold(log)
			return err
		},
		Stop: func(context.Context) error {
			if release != nil {
				release()
			}
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("reaper: %w", err)
	}
	return nil
}

// shared is the one reaper of the process.
var shared struct {
	mu    sync.Mutex
	users int
	stop  func()
}

// Hold makes the process reap until release is called, which must happen once.
// Holders share one reaper, which logs to the log of the first. Where no process
// is given to this one there is nothing to do, and nothing is done.
func Hold(log *slog.Logger) (release func(), err error) {
	if !Adopts() {
		return func() {}, nil
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.users == 0 {
		if err := usable(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		shared.stop = run(log)
	}
	shared.users++
	return sync.OnceFunc(func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		if shared.users--; shared.users == 0 {
			shared.stop()
			shared.stop = nil
		}
	}), nil
}

// run sweeps whenever a child may have ended. The returned function ends that,
// and waits for a sweep that is under way.
func run(log *slog.Logger) (stop func()) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for more := true; more; more = rest(quit, pause) {
			n, err := sweep()
			switch {
			case err != nil:
				log.Error("orphans can't be reaped", "error", err)
			case n > 0:
				log.Debug("orphans reaped", "count", n)
			}
			select {
			case <-ended:
			case <-tick.C:
			case <-quit:
			}
		}
	}()
	return func() {
		signal.Stop(ended)
		close(quit)
		<-done
	}
}

// rest waits, and reports whether it came to the end of that.
func rest(quit <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-quit:
		return false
	}
}
