package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Group owns the parts of a process and stops them under one deadline. Make one with [New], add parts, call
// [Group.Run]. All methods are safe for concurrent use, also from inside the functions of its parts.
type Group struct {
	conf config
	id   string // tells the groups of one process apart in pprof labels

	started  chan struct{} // closed when every part has started
	stopping chan struct{} // closed when the stop begins
	second   chan struct{} // closed by the second signal
	third    chan struct{} // closed by the third signal
	notes    *journal
	forecast forecast

	mu      sync.Mutex
	ran     bool // Run was called
	state   state
	parts   []*instance             // in the order in which they were added
	base    context.Context         // the values of the context of Run, without its end
	startUp context.Context         // the context of every Start, ends when the stop begins
	endUp   context.CancelCauseFunc // ends startUp
	work    context.Context         // parent of the contexts of goroutines, ends when Run does
	signals []SignalReport
	cause   cause
	begun   time.Time // T0
	report  Report    // what the stop has done so far, all of it once Run has returned
	current *stretch  // of the phase that the stop is in
}

type state int

const (
	idle     state = iota // before Run
	running               // Run was called: parts start, or have started
	stopping              // the stop has begun, or is over
)

// cause is why the stop began. err is nil for a clean stop.
type cause struct {
	text string
	err  error
}

// New returns a group without parts. The error is a [*BudgetError] if the grace can't hold the floors; a process with
// such a configuration must not start, since its stop would be cut off by SIGKILL.
func New(opts ...Option) (*Group, error) {
	conf := newConfig(opts)
	if conf.err != nil {
		return nil, conf.err
	}
	if err := conf.plan.check(); err != nil {
		return nil, err
	}
	g := &Group{
		conf:     conf,
		started:  make(chan struct{}),
		stopping: make(chan struct{}),
		second:   make(chan struct{}),
		third:    make(chan struct{}),
		notes:    newJournal(conf.log),
		base:     context.Background(),
	}
	g.id = fmt.Sprintf("%p", g)
	g.startUp, g.endUp = context.WithCancelCause(g.base)
	return g, nil
}

// Plan returns the budgets of the group.
func (g *Group) Plan() Plan { return g.conf.plan }

// Add adds a part. Before Run it only registers it. In a running group it starts the part at once and returns the
// error of its Start, in which case the part is not in the group. A Start that takes longer than the start timeout is
// given up with [ErrStartTimeout]; the name stays taken until it comes back, and if it then has started, it is stopped.
// When the stop begins, Add returns [ErrStopping] without waiting for a Start that is still running; the stop takes care
// of that one.
func (g *Group) Add(p Part) error {
	in := newInstance(g, p)
	if start, err := g.register(in); err != nil || !start {
		return err
	}
	return g.startOne(in)
}

// register puts the part into the group and reports whether the caller has to start it.
func (g *Group) register(in *instance) (start bool, err error) {
	if err := in.part.validate(); err != nil {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == stopping {
		return false, ErrStopping
	}
	if g.find(in.part.Name) != nil {
		return false, fmt.Errorf("%w: %q", errNameTaken, in.part.Name)
	}
	g.parts = append(g.parts, in)
	in.startBegun = g.state != idle && in.part.Start != nil
	return in.startBegun, nil
}

// Remove stops one part and takes it out of the group. The part gets the time until the deadline of ctx, but no more
// than its phase can ever get; then it is killed and abandoned as in a stop of the group. The error is that of the part,
// or holds [ErrDeadlineExceeded]. If the group stops meanwhile, both wait for the same single call of Stop, and the part
// is in the report. Once the stop has begun, Remove returns [ErrStopping] and stops nothing: the stop takes care of the
// part when its phase comes.
func (g *Group) Remove(ctx context.Context, name string) error {
	g.mu.Lock()
	in := g.find(name)
	g.mu.Unlock()
	if in == nil && !happened(g.stopping) {
		return fmt.Errorf("lifecycle: there is no part named %q", name)
	}
	return g.remove(ctx, in)
}

func (g *Group) remove(ctx context.Context, in *instance) error {
	g.mu.Lock()
	late := g.state == stopping
	g.mu.Unlock()
	if late {
		return ErrStopping
	}
	now := time.Now()
	end := now.Add(g.conf.plan.Longest(in.part.Phase))
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	st := stretch{
		begin: now, deadline: end, kill: killTime, cause: ErrDeadlineExceeded,
		cut: ctx.Done(), cutTo: func(now time.Time) time.Time { return now }, cutCause: ErrDeadlineExceeded,
	}
	g.runParts(context.WithoutCancel(ctx), &st, []*instance{in})
	result := in.result(&st)
	if result.Outcome != Skipped {
		g.forecast.removed(in.part.Name, time.Duration(result.Used))
	}
	g.release(in)
	return result.err
}

// Shutdown begins the stop. A nil cause is a clean stop; any other makes Run return an error that wraps it. Only the
// first call counts. Shutdown does not wait; it may be called at any time, even before Run, which then stops at once.
func (g *Group) Shutdown(err error) {
	c := cause{text: "shutdown", err: err}
	if err != nil {
		c.text = err.Error()
	}
	g.begin(c)
}

// begin begins the stop and reports whether this call did it.
func (g *Group) begin(c cause) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.beginLocked(c)
}

func (g *Group) beginLocked(c cause) bool {
	if g.state == stopping {
		return false
	}
	g.state, g.cause, g.begun = stopping, c, time.Now()
	close(g.stopping)
	g.endUp(ErrStopping)
	return true
}

// Started returns a channel that is closed when all parts that were added before Run have started. It stays open if the
// stop came first.
func (g *Group) Started() <-chan struct{} { return g.started }

// Stopping returns a channel that is closed when the stop begins.
func (g *Group) Stopping() <-chan struct{} { return g.stopping }

// Remaining returns the time until the deadline of the whole stop, at least 0. Before the stop it is the whole window,
// grace - pre-stop - reserve.
func (g *Group) Remaining() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != stopping {
		return g.conf.plan.Window()
	}
	return max(0, g.conf.plan.Window()-time.Since(g.begun))
}

var (
	errRunTwice  = errors.New("lifecycle: Run was called before")
	errNameTaken = errors.New("lifecycle: there is a part with this name already")
)

func (g *Group) find(name string) *instance {
	for _, in := range g.parts {
		if in.part.Name == name {
			return in
		}
	}
	return nil
}

func (g *Group) forget(in *instance) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parts = slices.DeleteFunc(g.parts, func(other *instance) bool { return other == in })
}

// release takes a part out of the group that has ended. Once the stop has begun, it stays for the report.
func (g *Group) release(in *instance) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != stopping {
		g.parts = slices.DeleteFunc(g.parts, func(other *instance) bool { return other == in })
	}
}

// of returns the parts of a phase that suit.
func (g *Group) of(ph Phase, suits func(*instance) bool) []*instance {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []*instance
	for _, in := range g.parts {
		if in.part.Phase == ph && suits(in) {
			list = append(list, in)
		}
	}
	return list
}
