package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Task is a goroutine that a part owns. [Group.Go] is enough for work that may end when Drain begins; a Task is for work
// that goes on into a later phase, or that has to be told something before it ends:
//
//	feed := g.Task("feed", client.Run)
//	g.Add(lifecycle.Part{
//		Name: "feed", Phase: lifecycle.Leave, Start: feed.Start, Kill: feed.Cancel,
//		Stop: func(ctx context.Context) error { return errors.Join(client.Leave(ctx), feed.Stop(ctx)) },
//	})
type Task struct {
	g    *Group
	name string
	f    func(context.Context) error
	own  *instance     // the part that it is all of and that ends with it, or nil; set before Start
	done chan struct{} // closed when f has returned
	err  error         // for the report; readable once done is closed

	mu        sync.Mutex
	end       context.CancelCauseFunc // set by Start
	cancelled bool
}

// Task returns a task that has not started. If f returns an error before it was told to end, or panics, the group stops
// with that error; a nil error only ends the task. An error of f that only says that its context has ended is none.
func (g *Group) Task(name string, f func(ctx context.Context) error) *Task {
	if f == nil {
		f = func(context.Context) error { return errNoFunction }
	}
	return &Task{g: g, name: name, f: f, done: make(chan struct{})}
}

var errNoFunction = errors.New("there is no function to run")

// Start begins the goroutine; it is the Start of a part, or called by it, once. It never fails.
func (t *Task) Start(context.Context) error {
	// Not the context of this Start, which ends with it: a task works on until it is told to end.
	t.g.mu.Lock()
	work := t.g.work
	t.g.mu.Unlock()
	own, cancel := context.WithCancelCause(work)
	t.mu.Lock()
	t.end = cancel
	if t.cancelled {
		cancel(ErrStopping)
	}
	t.mu.Unlock()
	go guard(func() error { return t.f(own) }, func(err error) {
		t.err = t.ended(own, err)
		cancel(nil)
		close(t.done)
	})
	return nil
}

// ended takes note that f has returned err, and returns what is left of it for the report of the stop.
func (t *Task) ended(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
		return nil
	case err == nil:
		if t.own != nil {
			t.g.release(t.own) // not by its name, which another part may have by now
		}
		return nil
	case t.g.begin(cause{text: fmt.Sprintf("goroutine %q: %v", t.name, err), err: fmt.Errorf("goroutine %q: %w", t.name, err)}):
		return nil // Run returns it as the cause of the stop
	default:
		return err
	}
}

// Cancel ends the context of f and does not wait; before Start, f begins with a context that has ended. It is the Kill
// of a part, and may be called at any time.
func (t *Task) Cancel() { t.cancel() }

// cancel reports whether there is something to wait for.
func (t *Task) cancel() (started bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancelled = true
	if t.end == nil {
		return false
	}
	t.end(ErrStopping)
	return true
}

// Stop ends the context of f, waits for f, and returns its error. It is the Stop of a part, or called by it: it waits
// even past the deadline of its context, so that the watchdog can show whether f came back late, or where it hangs. A task
// that was not started has nothing to stop.
func (t *Task) Stop(context.Context) error {
	if !t.cancel() {
		return nil
	}
	<-t.done
	return t.err
}

// Done is closed when f has returned.
func (t *Task) Done() <-chan struct{} { return t.done }
