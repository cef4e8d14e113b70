package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/kubernetes/cluster"
)

const sigkilled = 137 // 128 + SIGKILL

// The API forgets the pod at once and a new one of the same name starts, while
// the old one may still run: two processes that believe to be logproc-0.
func TestPodsThatAreDeletedByForceBreakNoInvariant(t *testing.T) {
	o := underLoad(t, cluster.Traffic{}, func(ctx context.Context) {
		for range bigger(1, 10) {
			for _, pod := range []string{"orders-0", "logproc-0", "auth-0"} {
				kubectl(ctx, t, "delete", "pod", pod, "--force", "--grace-period=0")
				settled(ctx, t)
			}
		}
	})
	o.invariants(t)
}

// Nothing that these pods do returns: the tables that they need are locked.
// They are told to stop, and the kubelet ends them when the grace is over.
func TestPodsThatAreKilledAtTheEndOfTheGraceBreakNoInvariant(t *testing.T) {
	var killed []cluster.Pod
	o := underLoad(t, cluster.Traffic{}, func(ctx context.Context) {
		for _, stuck := range []struct{ service, table string }{{"orders", "orders"}, {"logproc", "ledger"}} {
			pod, err := lab.Pod(ctx, stuck.service+"-1")
			if err != nil {
				t.Fatal(err)
			}
			killed = append(killed, pod)
			lock, err := lab.Hold(ctx, stuck.service, stuck.table, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			// A shorter grace than the process was told of.
			kubectl(ctx, t, "delete", "pod", pod.Metadata.Name, "--grace-period=3")
			lock.End()
			settled(ctx, t)
		}
	})
	o.invariants(t)
	for _, pod := range killed {
		wasKilled(t, o.ends, pod, "Error")
	}
}

// A process that stands still is found by its liveness probe, which gives it a
// grace of its own; one that takes too much memory is ended by the kernel.
func TestContainersThatTheNodeKillsBreakNoInvariant(t *testing.T) {
	var frozen, greedy cluster.Pod
	o := underLoad(t, cluster.Traffic{}, func(ctx context.Context) {
		var err error
		if frozen, err = lab.Pod(ctx, "orders-1"); err != nil {
			t.Fatal(err)
		}
		if greedy, err = lab.Pod(ctx, "auth-1"); err != nil {
			t.Fatal(err)
		}
		if err := lab.Signal(ctx, "orders-1", "orders", syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := lab.Exhaust(ctx, "auth-1", "auth"); err != nil {
			t.Fatal(err)
		}
		for _, pod := range []string{"auth-1", "orders-1"} {
			restarted(ctx, t, pod)
		}
		settled(ctx, t)
	})
	o.invariants(t)
	wasKilled(t, o.ends, greedy, "OOMKilled")
	wasKilled(t, o.ends, frozen, "Error")
}

// restarted waits until the container of a pod has ended and runs again.
func restarted(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	err := cluster.Await(ctx, 2*time.Minute, "the container of "+name+" to be killed and to come back", func(ctx context.Context) (bool, error) {
		p, err := lab.Pod(ctx, name)
		again := slices.ContainsFunc(p.Status.Containers, func(c cluster.Container) bool { return c.LastState.Terminated != nil })
		return again && p.Ready(), errors.Join(err, fmt.Errorf("it is %+v", p.Status))
	})
	if err != nil {
		t.Error(err)
	}
}

// wasKilled fails the test unless the service's container of a pod got SIGKILL.
func wasKilled(t *testing.T, ends []cluster.End, p cluster.Pod, reason string) {
	t.Helper()
	i := slices.IndexFunc(ends, func(e cluster.End) bool { return e.UID == p.Metadata.UID && e.Container == p.Service() })
	switch {
	case i < 0:
		t.Errorf("nobody saw how %s ended", p.Metadata.Name)
	case ends[i].ExitCode != sigkilled || ends[i].Reason != reason:
		t.Errorf("%s was to be killed as %s: %v", p.Metadata.Name, reason, ends[i])
	}
}
