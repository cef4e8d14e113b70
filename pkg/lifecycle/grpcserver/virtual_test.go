package grpcserver_test

import (
	"context"
	"fmt"
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

func TestEveryRandomStopOfARealServerEndsInTime(t *testing.T) {
	t.Parallel()
	percent := debug.SetGCPercent(1000) // there is little to keep, and most of the time went into collecting it
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	const lanes = 8
	seed, total := randomtest.Seed(t), randomtest.Size{CI: 10_000, Race: 2_000, Soak: 100_000}.Now()
	var clean, stuck atomic.Int64
	t.Cleanup(func() { t.Logf("%d stops: %d clean, %d with stuck handlers", total, clean.Load(), stuck.Load()) })
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
					switch randomStop(t, rand.New(rand.NewPCG(seed, uint64(i)))) {
					case lifecycle.Clean:
						clean.Add(1)
					case lifecycle.Abandoned, lifecycle.Forced:
						stuck.Add(1)
					case lifecycle.Failed, lifecycle.Skipped:
					}
				})
			}
		})
	}
}

// randomStop serves a few random clients, well behaved or not, and stops.
func randomStop(t *testing.T, r *rand.Rand) lifecycle.Outcome {
	t.Helper()
	release := make(chan struct{})
	defer close(release)
	grace := 12*time.Second + time.Duration(r.IntN(20))*time.Second
	f := newFixture(t, release, lifecycle.WithGrace(grace))
	var committed, closed bool
	var left int
	for _, p := range []lifecycle.Part{
		{Name: "flush", Phase: lifecycle.Commit, Stop: func(ctx context.Context) error {
			until, _ := ctx.Deadline()
			committed = time.Until(until) >= f.g.Plan().Budget(lifecycle.Commit).Min
			return nil
		}},
		{Name: "pool", Phase: lifecycle.Close, Stop: func(context.Context) error {
			left, closed = f.work.count(), true
			return nil
		}},
	} {
		if err := f.g.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	wait := f.run(t.Context())
	c := newClients(t, f)
	defer c.close()
	ignorant := c.random(r)
	synctest.Wait()

	over := make(chan struct{})
	caused := make(chan struct{})
	signals := pick(r, 1, 1, 1, 2, 3)
	gaps := []time.Duration{time.Duration(r.IntN(4000)) * time.Millisecond, time.Duration(r.IntN(9000)) * time.Millisecond, time.Duration(r.IntN(9000)) * time.Millisecond}
	var third, began time.Time
	go func() {
		defer close(caused)
		for i := range signals {
			select {
			case <-time.After(gaps[i]):
			case <-over:
				return
			}
			switch i {
			case 0:
				began = time.Now()
			case 2:
				third = time.Now()
			}
			f.g.Signal(syscall.SIGTERM)
		}
	}()
	err := wait()
	ended := time.Now()
	close(over)
	<-caused

	report := f.g.Report()
	if took := ended.Sub(began); took > grace {
		t.Errorf("took %v of %v", took, grace)
	}
	if third.IsZero() {
		if signals == 1 && len(f.work.notices()) < c.following {
			t.Errorf("%d streams follow, but only %d were told", c.following, len(f.work.notices()))
		}
		if !committed {
			t.Error("commit was skipped or robbed of its floor")
		}
		if !closed {
			t.Error("the pool was not closed")
		}
		if left > 0 && outcome(t, report, "grpc/handlers").Outcome == lifecycle.Clean {
			t.Errorf("%d handlers ran when the pool was closed, and the report knows of none", left)
		}
		if left > 0 && !ignorant {
			t.Errorf("%d handlers that obey their context ran when the pool was closed", left)
		}
	} else if !ended.Equal(third) {
		t.Errorf("ran on for %v after the third signal", ended.Sub(third))
	}
	if got := lifecycle.ExitCode(err); got != report.ExitCode {
		t.Errorf("exit code %d, the report says %d", got, report.ExitCode)
	}
	return report.Outcome
}
