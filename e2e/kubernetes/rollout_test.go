package kubernetes

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/kubernetes/cluster"
	"github.com/curfew-platform/curfew/pkg/lifecycle"
)

func TestARolloutRestartOfAStatefulSetIsNoticedByNobody(t *testing.T) {
	for _, service := range cluster.Services {
		t.Run(service, func(t *testing.T) { rollout(t, service) })
	}
}

func TestARolloutRestartOfAllStatefulSetsAtOnceIsNoticedByNobody(t *testing.T) {
	for range bigger(1, 10) {
		rollout(t, cluster.Services...)
	}
}

func rollout(t *testing.T, services ...string) {
	t.Helper()
	before, err := lab.Pods(t.Context(), services...)
	if err != nil {
		t.Fatal(err)
	}
	var took time.Duration
	o := underLoad(t, cluster.Traffic{}, func(ctx context.Context) {
		start := time.Now()
		args := []string{"rollout", "restart"}
		for _, service := range services {
			args = append(args, "statefulset/"+service)
		}
		kubectl(ctx, t, args...)
		settled(ctx, t)
		took = time.Since(start)
	})
	o.unnoticed(t)
	t.Logf("rollout of %v: %d replicas in %.0f s", services, len(before), took.Seconds())
	for _, p := range before {
		stoppedClean(t, o.ends, p)
	}
	if len(o.ends) != len(before) {
		t.Errorf("%d containers ended, %d were to: %v", len(o.ends), len(before), o.ends)
	}
}

// stoppedClean fails the test unless the service's container of a pod left a
// report of a clean stop.
func stoppedClean(t *testing.T, ends []cluster.End, p cluster.Pod) {
	t.Helper()
	i := slices.IndexFunc(ends, func(e cluster.End) bool { return e.UID == p.Metadata.UID && e.Container == p.Service() })
	if i < 0 {
		t.Errorf("nobody saw how %s ended", p.Metadata.Name)
		return
	}
	report, err := ends[i].Report()
	if err != nil {
		t.Error(err)
		return
	}
	if report.Outcome != lifecycle.Clean || ends[i].ExitCode != lifecycle.ExitClean {
		t.Errorf("%v", ends[i])
	}
}
