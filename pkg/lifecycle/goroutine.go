package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Go adds a goroutine that the group owns, a part of phase [Drain]. It begins when the parts of Drain start, or at once
// in a group that runs. The context of f ends when phase Drain begins, and f is awaited in Drain. If f returns an error
// before that, or panics, the group stops with that error; a nil error only ends the goroutine. Once the stop has begun,
// Go does not call f any more. If the name is taken, a number is added to it.
//
// An error of f that only says that its context has ended is none.
func (g *Group) Go(name string, f func(ctx context.Context) error) { g.spawn(name, f, nil) }

func (g *Group) spawn(name string, f func(ctx context.Context) error, health func() Health) {
	w := &worker{g: g, name: name, f: f, done: make(chan struct{})}
	for i := 2; ; i++ {
		in, err := g.register(Part{Name: w.name, Phase: Drain, Start: w.start, Stop: w.stop, Health: health})
		switch {
		case err == nil:
			if in != nil {
				in.runStart(time.Now().Add(g.conf.startTimeout))
			}
			return
		case errors.Is(err, ErrStopping):
			g.notes.add(slog.LevelWarn, "goroutine not started, the group is stopping", slog.String("goroutine", name))
			return
		case errors.Is(err, errNameTaken):
			w.name = fmt.Sprintf("%s#%d", name, i)
		default:
			g.Shutdown(fmt.Errorf("goroutine %q: %w", name, err))
			return
		}
	}
}

// worker is a goroutine of the group.
type worker struct {
	g      *Group
	name   string
	f      func(context.Context) error
	cancel context.CancelCauseFunc // set by start
	done   chan struct{}           // closed when f has returned
	err    error                   // for the report; readable once done is closed
}

func (w *worker) start(context.Context) error {
	// Not the context of this Start, which ends when the stop begins: a goroutine works on until Drain.
	own, cancel := context.WithCancelCause(w.g.work)
	w.cancel = cancel
	go guard(func() error { return w.f(own) }, func(err error) {
		w.err = w.ended(own, err)
		cancel(nil)
		close(w.done)
	})
	return nil
}

// ended takes note that f has returned err, and returns what is left of it for the report of the stop.
func (w *worker) ended(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
		return nil
	case err == nil:
		w.g.mu.Lock()
		in := w.g.find(w.name)
		w.g.mu.Unlock()
		w.g.release(in)
		return nil
	case w.g.begin(cause{text: fmt.Sprintf("goroutine %q: %v", w.name, err), err: fmt.Errorf("goroutine %q: %w", w.name, err)}):
		return nil // Run returns it as the cause of the stop
	default:
		return err
	}
}

// stop waits for f even past its deadline: the watchdog can then show whether it came back late, or where it hangs.
func (w *worker) stop(context.Context) error {
	w.cancel(ErrStopping)
	<-w.done
	return w.err
}
