package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-platform/curfew/pkg/lifecycle"
	"github.com/curfew-platform/curfew/pkg/lifecycle/internal/randomtest"
)

func TestEveryRandomStopEndsInTimeAndCommitKeepsItsFloor(t *testing.T) {
	t.Parallel()
	percent := debug.SetGCPercent(1000) // there is little to keep, and most of the time went into collecting it
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	const lanes = 8
	seed, total := randomtest.Seed(t), randomtest.Size{CI: 100_000, Race: 10_000, Soak: 1_000_000}.Now()
	var refused, hurried, exited, abandoned atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d stops: %d refused budgets, %d with a second signal, %d with a third, %d with an abandoned part",
			total, refused.Load(), hurried.Load(), exited.Load(), abandoned.Load())
	})
	for lane := range lanes {
		t.Run(fmt.Sprint(lane), func(t *testing.T) {
			t.Parallel()
			for i := lane; i < total && !t.Failed(); i += lanes {
				synctest.Test(t, func(t *testing.T) {
					defer func() {
						if t.Failed() {
							t.Logf("stop %d of seed %d", i, seed)
						}
					}()
					o := runScenario(t, rand.New(rand.NewPCG(seed, uint64(i))))
					if o == nil {
						refused.Add(1)
						return
					}
					if len(o.signals) > 1 {
						hurried.Add(1)
					}
					if len(o.signals) > 2 {
						exited.Add(1)
					}
					if o.report.Outcome == lifecycle.Abandoned {
						abandoned.Add(1)
					}
					o.check(t)
				})
			}
		})
	}
}

// observed is what happened in a scenario, seen from outside.
type observed struct {
	*scenario

	began, ended time.Time
	running      bool // all had started when the stop began
	signals      []time.Time
	statuses     []seen
	seen         []lifecycle.Report // what the stop was said to have done so far
	report       lifecycle.Report
	err          error
}

// seen is what the group said of itself, and when.
type seen struct {
	lifecycle.Status

	at time.Time
}

// runScenario returns nil if the budgets were refused, rightly.
func runScenario(t *testing.T, r *rand.Rand) *observed {
	t.Helper()
	release := make(chan struct{})
	defer close(release)
	s := newScenario(r, release)
	opts := []lifecycle.Option{
		lifecycle.WithoutSignals(), lifecycle.WithLogger(slog.New(slog.DiscardHandler)), lifecycle.WithReportWriter(io.Discard),
		lifecycle.WithGrace(s.plan.grace), lifecycle.WithPreStop(s.plan.preStop),
		lifecycle.WithPropagation(s.plan.propagation), lifecycle.WithReserve(s.plan.reserve),
		lifecycle.WithStartTimeout(s.startBy),
	}
	if s.frozen {
		opts = append(opts, lifecycle.WithReportWriter(frozenWriter{release}))
	}
	for ph := lifecycle.Announce; ph <= lifecycle.Close; ph++ {
		opts = append(opts, lifecycle.WithBudget(ph, s.plan.floor[ph], s.plan.limit[ph]))
	}
	g, err := lifecycle.New(opts...)
	if need := s.plan.need(); need > s.plan.grace {
		if budget := (*lifecycle.BudgetError)(nil); !errors.As(err, &budget) {
			t.Errorf("a plan that needs %v of %v: %v", need, s.plan.grace, err)
		}
		return nil
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	for _, a := range s.parts {
		if err := g.Add(a.part()); err != nil {
			t.Error(err)
		}
	}
	for _, a := range s.workers {
		g.Go(a.name, func(ctx context.Context) error { return a.act(ctx, a.start, a.startD) })
	}

	o := &observed{scenario: s}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over, watched, caused := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		<-g.Stopping()
		o.began = time.Now()
		select {
		case <-g.Started():
			o.running = true
		default:
		}
		o.look(g, over)
	}()
	go func() {
		defer close(caused)
		o.cause(g, cancel, over)
	}()
	o.err = g.Run(ctx)
	o.ended = time.Now()
	o.report = g.Report()
	close(over)
	<-watched
	<-caused
	return o
}

// cause makes the events happen, one of which begins the stop, until the stop is over.
func (o *observed) cause(g *lifecycle.Group, cancel func(), over <-chan struct{}) {
	begin := time.Now()
	for _, e := range o.events {
		select {
		case <-time.After(time.Until(begin.Add(e.at))):
		case <-over:
			return
		}
		switch e.kind {
		case "signal":
			o.signals = append(o.signals, time.Now())
			g.Signal(syscall.SIGTERM)
		case "shutdown":
			g.Shutdown(nil)
		case "failure":
			g.Shutdown(errActor)
		case "cancel":
			cancel()
		case "status":
			o.statuses = append(o.statuses, seen{g.Status(), time.Now()})
		}
	}
	g.Shutdown(nil) // unless one of them has begun the stop
}

type frozenWriter struct{ release <-chan struct{} }

func (w frozenWriter) Write(p []byte) (int, error) {
	<-w.release
	return len(p), nil
}
