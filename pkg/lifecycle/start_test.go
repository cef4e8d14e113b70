package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestAStartThatMissesItsDeadlineFailsByNameAndWhatStartedIsStoppedInItsOrder(t *testing.T) {
	for what, start := range map[string]func(context.Context) error{
		"obeys its context":           func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) },
		"obeys it in its own words":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"comes back too late":         func(context.Context) error { <-time.After(12 * time.Second); return nil },
		"is late and fails after all": func(context.Context) error { <-time.After(12 * time.Second); return errors.New("too late") },
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGroup(t, lifecycle.WithStartTimeout(10*time.Second))
			var tr trail
			must(t, g.Add(tr.part("pool", lifecycle.Close)))
			must(t, g.Add(tr.part("lease", lifecycle.Leave)))
			must(t, g.Add(lifecycle.Part{Name: "database", Phase: lifecycle.Commit, Start: func(ctx context.Context) error {
				lifecycle.Progress(ctx, "migration 3 of 7")
				return start(ctx)
			}}))
			must(t, g.Add(tr.part("server", lifecycle.IntakeOff)))
			begin := time.Now()
			err := g.Run(t.Context())
			if !errors.Is(err, lifecycle.ErrStartTimeout) || lifecycle.ExitCode(err) != lifecycle.ExitError ||
				!strings.Contains(err.Error(), "start deadline exceeded after 10s") ||
				!strings.Contains(err.Error(), "migration 3 of 7") || !strings.Contains(err.Error(), "database") {
				t.Errorf("%s: %v", what, err)
			}
			if took := time.Since(begin); took > 12*time.Second {
				t.Errorf("%s: took %v", what, took)
			}
			tr.is(t, "start pool", "start lease", "stop lease", "stop pool")
		})
	}
}

func TestAStartThatHangsBeyondItsDeadlineIsAbandonedWithinTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, lifecycle.WithStartTimeout(10*time.Second))
		release := make(chan struct{})
		defer close(release)
		var tr trail
		must(t, g.Add(tr.part("pool", lifecycle.Close)))
		must(t, g.Add(lifecycle.Part{Name: "hung", Phase: lifecycle.Commit, Start: func(context.Context) error { <-release; return nil }}))
		begin := time.Now()
		err := g.Run(t.Context())
		if took := time.Since(begin); !errors.Is(err, lifecycle.ErrStartTimeout) || took > 10*time.Second+5500*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
		if p := find(t, g.Report(), "hung"); p.Outcome != lifecycle.Abandoned || !strings.Contains(p.Stack, "start_test.go") {
			t.Errorf("%+v", p)
		}
		tr.is(t, "start pool", "stop pool")
	})
}

func TestASlowStartTellsWhatItWaitsForAndHowFarThatIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		g := newGroup(t, lifecycle.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
		must(t, g.Add(lifecycle.Part{Name: "cache", Phase: lifecycle.Close, Start: func(context.Context) error { <-time.After(11 * time.Second); return nil }}))
		must(t, g.Add(lifecycle.Part{Name: "database", Phase: lifecycle.Close, Start: func(ctx context.Context) error {
			<-time.After(6 * time.Second)
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			lifecycle.Progress(ctx, "migration 3 of 7")
			<-time.After(6 * time.Second)
			return nil
		}}))
		running(t, g)
		synctest.Wait()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		for i, want := range []string{
			`msg="still starting" waits_for="cache, database" elapsed=5s limit=1m0s`,
			`msg="still starting" waits_for="cache, database (migration 3 of 7)" elapsed=10s limit=1m0s`,
			`msg=started elapsed=12s`,
		} {
			if i >= len(lines) || !strings.Contains(lines[i], want) {
				t.Errorf("line %d is not %s:\n%s", i, want, out.String())
			}
		}
		lifecycle.Progress(t.Context(), "nobody listens")
	})
}

func TestTheContextOfAStartEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		var kept context.Context
		must(t, g.Add(lifecycle.Part{Name: "keeps it", Phase: lifecycle.Close, Start: func(ctx context.Context) error { kept = ctx; return nil }}))
		running(t, g)
		if kept.Err() == nil {
			t.Error("who keeps the context of a Start would lose it at the beginning of the stop")
		}
	})
}

func TestAnAddedPartThatStartsTooLateIsGivenUpAndStoppedAfterAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, lifecycle.WithStartTimeout(10*time.Second))
		running(t, g)
		var tr trail
		late := tr.part("late", lifecycle.Commit)
		late.Start = func(context.Context) error { <-time.After(15 * time.Second); return nil }
		begin := time.Now()
		if err := g.Add(late); !errors.Is(err, lifecycle.ErrStartTimeout) || time.Since(begin) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if err := g.Add(late); err == nil || errors.Is(err, lifecycle.ErrStartTimeout) {
			t.Errorf("its name is free while its Start runs: %v", err)
		}
		<-time.After(6 * time.Second)
		synctest.Wait()
		tr.is(t, "stop late")
		must(t, g.Add(tr.part("late", lifecycle.Commit)))

		obedient := lifecycle.Part{Name: "obedient", Phase: lifecycle.Commit, Start: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		if err := g.Add(obedient); !errors.Is(err, lifecycle.ErrStartTimeout) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		must(t, g.Add(tr.part("obedient", lifecycle.Close)))
	})
}

func TestAStartTimeoutThatMakesNoSenseIsRefused(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Second, 1 << 62} {
		if _, err := lifecycle.New(lifecycle.WithStartTimeout(d)); lifecycle.ExitCode(err) != lifecycle.ExitUsage || !strings.Contains(err.Error(), "the start timeout is "+d.String()) {
			t.Errorf("%v: %v", d, err)
		}
	}
}
