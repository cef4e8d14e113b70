package lifecycle

import (
	"context"
	"log/slog"
	"time"
)

// Run starts all parts, waits until something begins the stop, stops all parts and writes the report. What begins it:
// a signal, the end of ctx, a part that fails to start, the deadline of the start, a goroutine of [Group.Go] that fails,
// [Group.Shutdown].
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
	begin := time.Now()
	if !early && g.start() {
		close(g.started)
		g.notes.add(slog.LevelInfo, "started", slog.Duration("elapsed", time.Since(begin)))
		go g.foresee()
	}
	<-g.stopping
	err := g.stopAll()
	unwatch()
	g.notes.close()
	return err
}
