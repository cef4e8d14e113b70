// Package scenario is what every library is asked to stop: one part that has
// to drain and behaves in one way or another, and the step that must come after
// it, the commit.
package scenario

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Times of a stop at full scale. A run divides them by its scale.
const (
	Grace     = 30 * time.Second // SIGTERM to SIGKILL
	WorkLeft  = 10 * time.Second // what a drain that ends takes
	CommitFor = time.Second      // what the commit takes
	// Timeout is what a library with a stop timeout is given: the grace without 8 s for the commit and what comes
	// after it. That is the kindest value for each of them in these scenarios.
	Timeout = Grace - 8*time.Second
	// OwnTimeout is the bound that somebody writes by hand where a library gives none.
	OwnTimeout = Timeout - 5*time.Second
	// Second is when the second signal comes, in the scenario that has one.
	Second = 5 * time.Second
	// Scale is what is usual: a minute of graces in some seconds, with times between the events that a busy machine
	// does not mix up.
	Scale = 5
)

// Name names a scenario.
type Name string

// The scenarios, by what the part that drains does.
const (
	Stuck  Name = "stuck"  // never ends, whatever its context says
	Polite Name = "polite" // works until its context ends and returns the context's error, as http.Server.Shutdown does
	Panic  Name = "panic"  // panics
	Slow   Name = "slow"   // ends after a third of the grace
	Twice  Name = "twice"  // like Slow, and a second signal comes before it has ended
	Hangs  Name = "hangs"  // ends at once; it is the commit that never does
)

// All lists the scenarios in the order of the tables.
func All() []Name { return []Name{Stuck, Polite, Panic, Slow, Twice, Hangs} }

// Title says in words what happens.
func (n Name) Title() string {
	switch n {
	case Stuck:
		return "The part is stuck and ignores its context"
	case Polite:
		return "The part works until its context ends"
	case Panic:
		return "The part panics"
	case Slow:
		return "The part needs a third of the grace"
	case Twice:
		return "The part needs a third of the grace, and a second SIGTERM comes"
	case Hangs:
		return "The part has nothing to do, and the commit itself is stuck"
	}
	return string(n)
}

// The events that a process tells on its standard output, one a line.
const (
	EventReady     = "ready"
	EventDrain     = "drain"
	EventDrained   = "drained"
	EventCommit    = "commit"
	EventCommitted = "committed"
)

// Stage is one scenario, inside the process that is stopped.
type Stage struct {
	name  Name
	scale int

	mu  sync.Mutex
	out io.Writer
}

// NewStage tells its events to out. The scale is at least 1.
func NewStage(name Name, scale int, out io.Writer) *Stage {
	return &Stage{name: name, scale: max(1, scale), out: out}
}

// Scaled divides a time of full scale.
func (s *Stage) Scaled(d time.Duration) time.Duration { return d / time.Duration(s.scale) }

// Ready tells that the process has started and its signals are handled.
func (s *Stage) Ready() { s.tell(EventReady) }

// Drain is the part that has to stop before the commit.
func (s *Stage) Drain(ctx context.Context) error {
	s.tell(EventDrain)
	var work <-chan time.Time
	switch s.name {
	case Stuck:
		<-time.After(time.Hour)
	case Panic:
		panic("the part panics while it drains")
	case Slow, Twice:
		work = time.After(s.Scaled(WorkLeft))
	case Hangs:
		work = time.After(0)
	}
	select {
	case <-work:
		s.tell(EventDrained)
		return nil
	case <-ctx.Done():
		s.tell(EventDrained)
		return fmt.Errorf("drain: %w", context.Cause(ctx))
	}
}

// Commit is the step that must not be skipped. Once begun it takes its time,
// whatever its context says.
func (s *Stage) Commit(context.Context) error {
	s.tell(EventCommit)
	if s.name == Hangs {
		<-time.After(time.Hour)
	}
	<-time.After(s.Scaled(CommitFor))
	s.tell(EventCommitted)
	return nil
}

func (s *Stage) tell(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintln(s.out, event) // A parent that is gone needs no news.
}
