package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

// newGroup returns a group that is silent and leaves the signals of the test binary alone.
func newGroup(t *testing.T, opts ...lifecycle.Option) *lifecycle.Group {
	t.Helper()
	g, err := lifecycle.New(append([]lifecycle.Option{
		lifecycle.WithoutSignals(), lifecycle.WithReportWriter(io.Discard), lifecycle.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	must(t, err)
	return g
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// trail records what parts do, in order. It is for parts that run one after the other.
type trail struct{ steps []string }

func (tr *trail) part(name string, ph lifecycle.Phase) lifecycle.Part {
	return lifecycle.Part{Name: name, Phase: ph, Start: tr.step("start " + name), Stop: tr.step("stop " + name)}
}

func (tr *trail) step(name string) func(context.Context) error {
	return func(context.Context) error {
		tr.steps = append(tr.steps, name)
		return nil
	}
}

func (tr *trail) is(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(tr.steps, want) {
		t.Errorf("steps\n got %q\nwant %q", tr.steps, want)
	}
}

func find(t *testing.T, r lifecycle.Report, name string) lifecycle.PartReport {
	t.Helper()
	for _, ph := range r.Phases {
		for _, p := range ph.Parts {
			if p.Name == name {
				return p
			}
		}
	}
	t.Fatalf("no part %q in %v", name, r)
	return lifecycle.PartReport{}
}

func TestPartsStartFromTheLastPhaseToTheFirstAndStopTheOtherWayRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var tr trail
		for ph := lifecycle.Announce; ph <= lifecycle.Close; ph++ {
			must(t, g.Add(tr.part(ph.String(), ph)))
		}
		go func() { <-g.Started(); g.Shutdown(nil) }()
		begin := time.Now()
		must(t, g.Run(t.Context()))
		if d := time.Since(begin); d != 0 {
			t.Errorf("took %v", d)
		}
		tr.is(t, "start close", "start leave", "start commit", "start drain", "start intake off", "start announce",
			"stop announce", "stop intake off", "stop drain", "stop commit", "stop leave", "stop close")
	})
}

func TestAFailedStartStopsWhatWasStartedAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, lifecycle.WithPropagation(5*time.Second))
		var tr trail
		must(t, g.Add(tr.part("pool", lifecycle.Close)))
		must(t, g.Add(tr.part("lease", lifecycle.Leave)))
		must(t, g.Add(lifecycle.Part{Name: "broken", Phase: lifecycle.Drain, Start: func(context.Context) error { return io.ErrUnexpectedEOF }, Stop: tr.step("stop broken")}))
		must(t, g.Add(tr.part("server", lifecycle.IntakeOff)))
		must(t, g.Add(lifecycle.Part{Name: "opened before", Phase: lifecycle.Commit, Stop: tr.step("stop opened before")}))
		begin := time.Now()
		err := g.Run(t.Context())
		if !errors.Is(err, io.ErrUnexpectedEOF) || lifecycle.ExitCode(err) != lifecycle.ExitError {
			t.Errorf("got %v", err)
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("took %v: nobody has to hear that a process that never was ready is not", d)
		}
		tr.is(t, "start pool", "start lease", "stop opened before", "stop lease", "stop pool")
	})
}

func TestAStopBeforeRunStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var tr trail
		must(t, g.Add(tr.part("pool", lifecycle.Close)))
		g.Shutdown(nil)
		g.Shutdown(errors.New("too late to count"))
		must(t, g.Run(t.Context()))
		tr.is(t)
		if err := g.Run(t.Context()); err == nil {
			t.Error("ran twice")
		}
		if err := g.Add(tr.part("late", lifecycle.Close)); !errors.Is(err, lifecycle.ErrStopping) {
			t.Errorf("Add after the stop: %v", err)
		}
	})
}

func TestAStopDuringAStartEndsItsContextAndStopsThePartThatStartedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var tr trail
		must(t, g.Add(lifecycle.Part{
			Name: "migration", Phase: lifecycle.Close,
			Start: func(ctx context.Context) error {
				<-ctx.Done()
				if !errors.Is(context.Cause(ctx), lifecycle.ErrStopping) {
					t.Errorf("cause %v", context.Cause(ctx))
				}
				<-time.After(time.Second) // takes its time, and succeeds
				return nil
			},
			Stop: tr.step("stop migration"),
		}))
		must(t, g.Add(tr.part("server", lifecycle.IntakeOff)))
		go func() { <-time.After(30 * time.Second); g.Shutdown(nil) }()
		must(t, g.Run(t.Context()))
		tr.is(t, "stop migration")
		if p := find(t, g.Report(), "server"); p.Outcome != lifecycle.Skipped {
			t.Errorf("%+v", p)
		}
	})
}

func TestPartsCanBeAddedAndRemovedWhileTheGroupRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var tr trail
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		<-g.Started()
		must(t, g.Add(tr.part("worker", lifecycle.Drain)))
		if err := g.Add(tr.part("worker", lifecycle.Close)); err == nil {
			t.Error("two parts with one name")
		}
		broken := lifecycle.Part{Name: "broken", Phase: lifecycle.Drain, Start: func(context.Context) error { return io.EOF }}
		if err := g.Add(broken); !errors.Is(err, io.EOF) {
			t.Errorf("a Start that fails: %v", err)
		}
		must(t, g.Add(tr.part("broken", lifecycle.Close))) // its name is free again
		must(t, g.Remove(t.Context(), "worker"))
		if err := g.Remove(t.Context(), "worker"); err == nil {
			t.Error("removed twice")
		}
		must(t, g.Add(tr.part("worker", lifecycle.Drain)))
		g.Shutdown(nil)
		must(t, <-done)
		tr.is(t, "start worker", "start broken", "stop worker", "start worker", "stop worker", "stop broken")
	})
}

func TestRemoveGivesAHungPartUpAtTheDeadlineOfItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		release := make(chan struct{})
		defer close(release)
		var killed atomic.Bool
		must(t, g.Add(lifecycle.Part{
			Name: "hung", Phase: lifecycle.Drain, Stop: func(context.Context) error { <-release; return nil },
			Kill: func() { killed.Store(true) },
		}))
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		<-g.Started()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		if err := g.Remove(ctx, "hung"); !errors.Is(err, lifecycle.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begin); took != 3250*time.Millisecond || !killed.Load() {
			t.Errorf("took %v, killed %v", took, killed.Load())
		}
		g.Shutdown(nil)
		must(t, <-done)
	})
}

func TestANamelessOrEmptyPartIsRefused(t *testing.T) {
	g := newGroup(t)
	stop := func(context.Context) error { return nil }
	for what, p := range map[string]lifecycle.Part{
		"no name":      {Phase: lifecycle.Drain, Stop: stop},
		"long name":    {Name: strings.Repeat("x", 121), Phase: lifecycle.Drain, Stop: stop},
		"no phase":     {Name: "x", Stop: stop},
		"wrong phase":  {Name: "x", Phase: 7, Stop: stop},
		"no functions": {Name: "x", Phase: lifecycle.Drain},
	} {
		if err := g.Add(p); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

func TestALoggerAndAReaderThatAreFrozenDoNotHoldUpTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		frozen := frozenWriter{release}
		g := newGroup(t, lifecycle.WithReportWriter(frozen), lifecycle.WithLogger(slog.New(slog.NewTextHandler(frozen, nil))))
		for range 200 { // more lines than the queue holds
			g.Go("worker", func(ctx context.Context) error { <-ctx.Done(); return errors.New("noise") })
		}
		go func() { <-g.Started(); g.Shutdown(nil) }()
		begin := time.Now()
		_ = g.Run(t.Context())
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestLogLinesComeBeforeTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where the goroutine that writes the lines is never late
		var out bytes.Buffer
		g := newGroup(t, lifecycle.WithReportWriter(&out), lifecycle.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
		g.Go("worker", func(ctx context.Context) error { <-ctx.Done(); return errors.New("noise") })
		go func() { <-g.Started(); g.Shutdown(nil) }()
		_ = g.Run(t.Context())
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "{") || len(lines) != 4 {
			t.Errorf("got %s", out.String())
		}
	})
}
