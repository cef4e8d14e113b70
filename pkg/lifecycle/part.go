package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// maxNameBytes bounds the name of a part: names are repeated in logs, reports and the 4 KiB termination message.
const maxNameBytes = 120

// Part is one thing with one job in one phase. A component that acts in several phases adds several parts.
//
// Every function of a part is called at most once, except Remaining, Completed, EstimateDrain, Stuck and Health, which may
// be called at any time once it has started, and from several goroutines; they should answer at once. A panic in any
// function becomes an error of the part.
type Part struct {
	// Name is unique in the group, not empty, at most 120 bytes.
	Name string

	// Phase is the phase in which Stop runs. Start order is the reverse: parts of Close start first, parts of
	// Announce last; the parts of one phase start in parallel.
	Phase Phase

	// Start returns when the part has started. Its context ends when Start has returned, at the deadline of the
	// start, and when the stop begins, so a Start must not keep it for later work. A Start that takes long says how
	// far it is by [Progress]. A part whose Start failed or never ran is not stopped. A part without Start counts as
	// started from the moment it was added, so its Stop runs in every case.
	Start func(ctx context.Context) error

	// Stop does the job of the phase. Its context carries the deadline of this part; when it is done,
	// [context.Cause] tells why: [ErrDeadlineExceeded], [ErrSecondSignal] or [ErrThirdSignal]. A part without
	// Stop but with Remaining is done when Remaining has reached 0.
	Stop func(ctx context.Context) error

	// Kill is called at the deadline if Stop (or Start) has not returned. It runs beside Stop and must make it
	// return within 250 ms, after which the part is abandoned.
	Kill func()

	// Remaining is a number that must have reached 0 when Stop returns: calls in flight, uncommitted records,
	// queued items. A part that ends with something left did not end clean.
	Remaining func() int64

	// Unit is what Remaining counts, for people: "uncommitted", "in flight". Empty means "remaining".
	Unit string

	// Completed is how much of what Remaining counts has ever been completed: a number that only grows. Both together
	// tell how fast the part works, and how long its Stop would take: see [Group.Predict]. Leave it out if Stop does
	// not have to wait for all that remains to be completed at that speed.
	Completed func() uint64

	// EstimateDrain says how long Stop would take now, for a part that knows it better than by Remaining and Completed.
	// The report prints it beside what it took.
	EstimateDrain func() time.Duration

	// Stuck names what is still running, one line each, at most 16 of which go into the report when the part
	// did not finish in its time or left something: for a server the methods and peers of its calls.
	Stuck func() []string

	// Health says how well the part does its job. It is asked from when the part has started, by whoever asks the
	// group, see [Group.Status]. It should answer at once from what it knows: one that has been silent for 10 s counts
	// as [Unready]. A part without Health is ready when it has started. A part may consist of a Health alone; its
	// phase means nothing then.
	Health func() Health
}

func (p *Part) validate() error {
	switch {
	case p.Name == "":
		return errors.New("lifecycle: part without a name")
	case len(p.Name) > maxNameBytes:
		return fmt.Errorf("lifecycle: name of part %.20q... is longer than %d bytes", p.Name, maxNameBytes)
	case !p.Phase.valid():
		return fmt.Errorf("lifecycle: part %q: no such phase: %d", p.Name, int(p.Phase))
	case p.Start == nil && p.Stop == nil && p.Kill == nil && p.Remaining == nil && p.Health == nil:
		return fmt.Errorf("lifecycle: part %q has no function", p.Name)
	}
	return nil
}
