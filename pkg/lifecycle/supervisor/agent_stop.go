package supervisor

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// takeSignals makes the agent the one that the signals of the process go to.
// They are not given back: a SIGTERM that comes once more while the process
// writes its report must not cut that off, and the supervisor has SIGQUIT for a
// process that hangs.
func (a *Agent) takeSignals() {
	// Ignore takes the signals away from the group, which has asked for them.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	// An orphan still has work to finish and a group to end. Go ends a program
	// that writes to a closed stderr, unless somebody listens to SIGPIPE; SIGHUP
	// is the death signal, and what the kernel wakes stopped orphans with.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP)
	a.work.Go(func() {
		for {
			select {
			case <-term:
				a.terminate()
			case <-a.left:
				return
			}
		}
	})
}

// drain begins the stop of the group.
func (a *Agent) drain(remaining time.Duration) {
	a.group.Shutdown(nil)
	plan := a.group.Plan()
	for _, ph := range []lifecycle.Phase{lifecycle.Commit, lifecycle.Leave, lifecycle.Close} {
		remaining -= plan.Budget(ph).Min
	}
	remaining = max(0, remaining)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hurry == nil {
		a.hurry = time.AfterFunc(remaining, func() { a.raise(2, notice("drain time is over")) })
		return
	}
	if a.hurry.Stop() {
		a.hurry.Reset(remaining)
	}
}

// terminate is the answer to SIGTERM.
func (a *Agent) terminate() {
	select {
	case <-a.group.Stopping():
		a.raise(2, syscall.SIGTERM)
	default:
		a.raise(1, syscall.SIGTERM)
	}
}

// raise gives signals to the group until it has had a number of them. The
// second ends Announce and Drain. There is never a third, which would skip
// Commit, however many ways say the same thing.
func (a *Agent) raise(number int, sig os.Signal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for ; a.signals < number; a.signals++ {
		a.group.Signal(sig)
	}
}

// notice is a signal that came over the channel; its text is for the report.
type notice string

// Signal marks a notice as an os.Signal.
func (notice) Signal() {}

// String is what the stop report shows.
func (n notice) String() string { return "supervisor: " + string(n) }
