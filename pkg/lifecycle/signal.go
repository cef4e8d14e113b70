package lifecycle

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// maxSignals is how many signals mean something; the report lists no more.
const maxSignals = 3

// watch listens to the signals of the process and to the end of ctx until the returned function is called, which gives
// the signals back to their default: a process that hangs after Run can still be interrupted.
func (g *Group) watch(ctx context.Context) (unwatch func()) {
	received := make(chan os.Signal, maxSignals)
	if len(g.conf.signals) > 0 {
		signal.Notify(received, g.conf.signals...)
	}
	if g.conf.hangUp {
		if !signal.Ignored(syscall.SIGHUP) {
			signal.Notify(received, syscall.SIGHUP)
		}
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // Go spares who listens.
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ended := ctx.Done()
		for {
			select {
			case sig := <-received:
				g.Signal(sig)
			case <-ended:
				ended = nil
				g.begin(endOf(ctx))
			case <-quit:
				return
			}
		}
	}()
	return func() {
		signal.Stop(received)
		close(quit)
		<-done
	}
}

// endOf is the cause of a stop that the end of ctx began. It is no failure unless somebody cancelled ctx with a cause.
func endOf(ctx context.Context) cause {
	c := cause{text: "context ended: " + context.Cause(ctx).Error()}
	if err := context.Cause(ctx); err != ctx.Err() { //nolint:errorlint // identity: a cause of its own, not what it wraps
		c.err = err
	}
	return c
}

// Signal does what a signal of the process does, for whatever else can ask a process to stop: the parent of a worker, a
// service manager, a test. The first begins the stop; the second ends Announce and Drain now and gives each other phase
// its floor and no more; the third makes Run return at once. Signals are counted on their own: one that arrives in a
// stop that [Group.Shutdown] or a failure has begun is the first. sig is named in the report and may be nil.
func (g *Group) Signal(sig os.Signal) {
	name := "none"
	if sig != nil {
		name = sig.String()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.signals) == maxSignals {
		return
	}
	g.beginLocked(cause{text: "signal: " + name})
	g.signals = append(g.signals, SignalReport{Name: name, After: Duration(time.Since(g.begun))})
	switch len(g.signals) {
	case 2:
		close(g.second)
	case 3:
		close(g.third)
	}
	g.notes.add(slog.LevelInfo, "signal", slog.String("signal", name), slog.Int("count", len(g.signals)))
}

// happened reports whether an event channel is closed.
func happened(event <-chan struct{}) bool {
	select {
	case <-event:
		return true
	default:
		return false
	}
}
