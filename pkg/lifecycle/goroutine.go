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
// Go does not call f any more. If the name is taken, a number is added to it. What has to go on in later phases is a
// [Task].
//
// An error of f that only says that its context has ended is none.
func (g *Group) Go(name string, f func(ctx context.Context) error) { g.spawn(name, f, nil) }

// spawn adds a goroutine with a health, which may be nil.
func (g *Group) spawn(name string, f func(ctx context.Context) error, health func() Health) {
	t := g.Task(name, f)
	for i := 2; ; i++ {
		t.own = newInstance(g, Part{Name: t.name, Phase: Drain, Start: t.Start, Stop: t.Stop, Health: health})
		start, err := g.register(t.own)
		switch {
		case err == nil:
			if start {
				t.own.runStart(time.Now().Add(g.conf.startTimeout))
			}
			return
		case errors.Is(err, ErrStopping):
			g.notes.add(slog.LevelWarn, "goroutine not started, the group is stopping", slog.String("goroutine", name))
			return
		case errors.Is(err, errNameTaken):
			t.name = fmt.Sprintf("%s#%d", name, i)
		default:
			g.Shutdown(fmt.Errorf("goroutine %q: %w", name, err))
			return
		}
	}
}

// Unrecovered returns f with panics that end the process at once, with their trace and exit status 2, as those of a bare
// goroutine do. The group would turn them into an orderly stop, which is wrong where nobody knows what the work has done
// to the process, or where its death is evidence.
func Unrecovered(f func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		done := make(chan error, 1)
		go func() { done <- f(ctx) }()
		return <-done
	}
}

// Within calls f in a goroutine of its own and returns the error of f, or the cause of the end of ctx if that comes
// first; f then goes on and nobody hears of it. It is for a Close that takes no context and may hang. A panic of f is a
// [*PanicError].
func Within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go guard(f, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
