package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// stillStartingTime is how often a start that takes long is logged.
const stillStartingTime = 5 * time.Second

// progressKey is what Progress finds the part in the context of its Start by.
type progressKey struct{}

// Progress says how far a Start has come, in a few words such as "migration 3 of 7". ctx is the context of the Start or
// derived from it; with any other, Progress does nothing, so that a library can call it whoever runs it. The last text is
// in the log lines of a slow start, in [Group.Status], and in the error of a start that missed its deadline. It is cut
// at 200 bytes and may be called as often as one likes.
func Progress(ctx context.Context, text string) {
	in, ok := ctx.Value(progressKey{}).(*instance)
	if !ok {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.progress = clip(text, maxReasonBytes)
}

// progressed is what Start said last of its progress.
func (in *instance) progressed() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.progress == "" {
		return "not started"
	}
	return in.progress
}

// hasStarted reports whether Start has returned, with or without success, or there is none.
func (in *instance) hasStarted() bool { return in.part.Start == nil || happened(in.startDone) }

// runStart calls Start in a goroutine. It must be called at most once, by whoever set startBegun.
func (in *instance) runStart(deadline time.Time) {
	in.g.mu.Lock()
	ctx := in.g.startUp
	in.g.mu.Unlock()
	ctx, cancel := context.WithDeadlineCause(context.WithValue(ctx, progressKey{}, in), deadline, ErrStartTimeout)
	go in.labelled(ctx, func(ctx context.Context) {
		guard(func() error { return in.part.Start(ctx) }, func(err error) {
			if errors.Is(context.Cause(ctx), ErrStartTimeout) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrStartTimeout)) {
				err = in.late() // in our words
			}
			in.startErr = err
			cancel()
			close(in.startDone)
		})
	})
}

// late is the error of a Start that misses its deadline.
func (in *instance) late() error {
	return fmt.Errorf("%w after %v: %s", ErrStartTimeout, in.g.conf.startTimeout, in.progressed())
}

// start starts the parts, the last phase first, and reports whether all have started. If a part fails, the deadline
// comes or the stop begins, it returns at once: a Start that is still running is awaited by the stop, within the budget
// of its phase.
func (g *Group) start() bool {
	begin := time.Now()
	deadline := begin.Add(g.conf.startTimeout)
	late := time.NewTimer(g.conf.startTimeout)
	defer late.Stop()
	slow := time.NewTicker(stillStartingTime)
	defer slow.Stop()
	for i := len(phases) - 1; i >= 0; i-- {
		batch := g.of(phases[i], func(in *instance) bool {
			mine := in.part.Start != nil && !in.startBegun
			in.startBegun = in.startBegun || mine
			return mine
		})
		results := make(chan *instance, len(batch))
		for _, in := range batch {
			in.runStart(deadline)
			go func() {
				select {
				case <-in.startDone:
					results <- in
				case <-g.stopping:
				}
			}()
		}
		for waiting := len(batch); waiting > 0; {
			select {
			case in := <-results:
				waiting--
				if in.startErr != nil {
					g.Shutdown(fmt.Errorf("start of part %q: %w", in.part.Name, in.startErr))
					return false
				}
			case <-slow.C:
				g.notes.add(slog.LevelWarn, "still starting", slog.String("waits_for", g.awaited()),
					slog.Duration("elapsed", time.Since(begin)), slog.Duration("limit", g.conf.startTimeout))
			case <-late.C:
				g.Shutdown(fmt.Errorf("%w after %v: still starting: %s", ErrStartTimeout, g.conf.startTimeout, g.awaited()))
				return false
			case <-g.stopping:
				return false
			}
		}
	}
	return !happened(g.stopping)
}

// awaited names the parts that are being started, each with its progress. One that has just failed is among them.
func (g *Group) awaited() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.awaitedLocked()
}

func (g *Group) awaitedLocked() string {
	var list []string
	for _, in := range g.parts {
		if !in.startBegun || in.givenUp || in.hasStarted() && !in.failed() {
			continue
		}
		in.mu.Lock()
		name, progress := in.part.Name, in.progress
		in.mu.Unlock()
		if progress != "" {
			name += " (" + progress + ")"
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// startOne starts a part of a group that is running, and returns the error of Add.
func (g *Group) startOne(in *instance) error {
	limit := g.conf.startTimeout
	in.runStart(time.Now().Add(limit))
	late := time.NewTimer(limit)
	defer late.Stop()
	var err error
	select {
	case <-in.startDone:
		if err = in.startErr; err == nil {
			return nil
		}
		g.forget(in)
	case <-late.C:
		err = in.late()
		g.giveUp(in)
		go g.dropLate(in)
	case <-g.stopping:
		return ErrStopping
	}
	return fmt.Errorf("lifecycle: start of part %q: %w", in.part.Name, err)
}

// giveUp keeps a part out of the status of the group: whoever added it has been told that it is not in the group.
func (g *Group) giveUp(in *instance) {
	g.mu.Lock()
	defer g.mu.Unlock()
	in.givenUp = true
}

// dropLate takes a part out of the group whose Start came back after Add had given it up: it is stopped, or what it has
// opened would stay open. If the stop of the group comes first, it takes care of the part.
func (g *Group) dropLate(in *instance) {
	select {
	case <-in.startDone:
	case <-g.stopping:
		return
	}
	if in.startErr != nil {
		g.forget(in)
		return
	}
	if err := g.remove(context.Background(), in); err != nil {
		g.notes.add(slog.LevelWarn, "part did not stop after its late start", slog.String("part", in.part.Name), slog.String("error", err.Error()))
	}
}
