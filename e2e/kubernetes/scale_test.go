package kubernetes

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/kubernetes/cluster"
	"github.com/curfew-platform/curfew/e2e/load"
)

// Partitions move to pods that come and away from pods that go, while records
// arrive faster than one pod is asked to store in any other test.
func TestLogprocScalesFromOneToFourToTwoPodsAtFullInput(t *testing.T) {
	start, err := lab.Replicas(t.Context(), "logproc")
	if err != nil {
		t.Fatal(err)
	}
	scale := func(ctx context.Context, n int) time.Duration {
		began := time.Now()
		kubectl(ctx, t, "scale", "statefulset/logproc", fmt.Sprintf("--replicas=%d", n))
		settled(ctx, t)
		return time.Since(began)
	}
	scale(t.Context(), 1)
	t.Cleanup(func() { scale(context.WithoutCancel(t.Context()), start) })
	traffic := cluster.Traffic{Rate: bigger(20_000, 100_000), Replicas: map[string]int{"auth": 2, "orders": 3, "logproc": 4}}
	stay := bigger(3*time.Second, time.Minute) // in each size
	var partitions []load.Progress
	o := underLoad(t, traffic, func(ctx context.Context) {
		watch, err := lab.WatchProgress(ctx)
		if err != nil {
			t.Fatal(err)
		}
		wait(ctx, stay)
		for _, n := range []int{4, 2} {
			t.Logf("scaled to %d in %.0f s", n, scale(ctx, n).Seconds())
			wait(ctx, stay)
		}
		if partitions, err = watch.Progress(); err != nil {
			t.Fatal(err)
		}
	})
	o.unnoticed(t)
	if len(partitions) == 0 {
		t.Fatal("nobody saw a partition")
	}
	var worst int64
	for _, p := range partitions {
		t.Logf("partition %2d: %7d records in %4d commits, at most %5d ms without progress", p.Partition, p.To-p.From, p.Moves, p.StillMS)
		worst = max(worst, p.StillMS)
		if p.Moves == 0 {
			t.Errorf("partition %d made no progress", p.Partition)
		}
	}
	if limit := 30 * time.Second; worst > limit.Milliseconds() {
		t.Errorf("a partition stood still for %d ms, more than %v", worst, limit)
	}
	gone := 0
	for _, e := range o.ends {
		if e.Service == "logproc" && !e.Init {
			gone++
			if e.ExitCode != 0 {
				t.Errorf("%v", e)
			}
		}
	}
	if gone != 2 {
		t.Errorf("%d pods of logproc ended, want 2: %v", gone, o.ends)
	}
}

// wait lets the load go on for a while.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
