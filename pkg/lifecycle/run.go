package lifecycle

import (
	"context"
	"fmt"
	"log/slog"
)

// Run starts all parts, waits until something begins the stop, stops all parts and writes the report. What begins it:
// a signal, the end of ctx, a part that fails to start, a goroutine of [Group.Go] that fails, [Group.Shutdown].
//
// The error is nil if the cause was no failure (a signal, Shutdown(nil), the end of ctx) and every part stopped in its
// time; otherwise a [*StopError]. [ExitCode] makes the exit code of it. A group runs once.
func (g *Group) Run(ctx context.Context) error {
	g.mu.Lock()
	if g.ran {
		g.mu.Unlock()
		return errRunTwice
	}
	g.ran = true
	// Parts see the values of ctx but not its end: that begins the stop, and ends nothing by itself.
	g.base = context.WithoutCancel(ctx)
	early := g.state == stopping
	if !early {
		g.state = running
		g.startUp, g.endUp = context.WithCancelCause(g.base)
	}
	work, endWork := context.WithCancelCause(g.base)
	g.work = work
	g.mu.Unlock()
	defer endWork(ErrThirdSignal) // who still works then was not told to stop in phase Drain

	g.notes.open()
	unwatch := g.watch(ctx)
	if !early && g.start() {
		close(g.started)
		g.notes.add(slog.LevelInfo, "started")
	}
	<-g.stopping
	err := g.stopAll()
	unwatch()
	g.notes.close()
	return err
}

// start starts the parts, the last phase first, and reports whether all have started. If a part fails, or the stop
// begins, it returns at once: a Start that is still running is awaited by the stop, within the budget of its phase.
func (g *Group) start() bool {
	for i := len(phases) - 1; i >= 0; i-- {
		batch := g.of(phases[i], func(in *instance) bool {
			mine := in.part.Start != nil && !in.startBegun
			in.startBegun = in.startBegun || mine
			return mine
		})
		results := make(chan *instance, len(batch))
		for _, in := range batch {
			in.runStart()
			go func() {
				select {
				case <-in.startDone:
					results <- in
				case <-g.stopping:
				}
			}()
		}
		for range batch {
			select {
			case in := <-results:
				if in.startErr != nil {
					g.Shutdown(fmt.Errorf("start of part %q: %w", in.part.Name, in.startErr))
					return false
				}
			case <-g.stopping:
				return false
			}
		}
	}
	select {
	case <-g.stopping:
		return false
	default:
		return true
	}
}
