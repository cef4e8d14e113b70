package kubernetes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/kubernetes/cluster"
)

// An operator empties a node. The disruption budgets say how many replicas may
// be away at a time, and drain waits for them.
func TestADrainOfANodeKeepsTheDisruptionBudgetsAndIsNoticedByNobody(t *testing.T) {
	node := spare(t)
	var moved []cluster.Pod
	o := underLoad(t, cluster.Traffic{}, func(ctx context.Context) {
		moved = podsOn(ctx, t, node)
		t.Cleanup(func() { restore(t, "uncordon", node) })
		worst := fewestReady(ctx, t, func() {
			kubectlLong(ctx, t, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=4m")
		})
		settled(ctx, t)
		for service, ready := range worst {
			replicas, err := lab.Replicas(ctx, service)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s had %d of %d replicas ready at least", service, ready, replicas)
			if ready < replicas-1 {
				t.Errorf("%s had %d replicas ready, its budget allows %d", service, ready, replicas-1)
			}
		}
		if left := podsOn(ctx, t, node); len(left) > 0 {
			t.Errorf("%d pods are still on %s", len(left), node)
		}
	})
	o.unnoticed(t)
	if len(moved) == 0 {
		t.Fatalf("no pod was on %s", node)
	}
	for _, p := range moved {
		stoppedClean(t, o.ends, p)
	}
	spread(t, node)
}

// A NoExecute taint asks no budget: what is on the node stops at once, all of it,
// each with its grace.
func TestATaintThatEvictsEverythingAtOnceBreaksNoInvariantAndStopsCleanly(t *testing.T) {
	node := spare(t)
	const taint = "curfew.dev/test"
	var moved []cluster.Pod
	o := underLoad(t, cluster.Traffic{}, func(ctx context.Context) {
		moved = podsOn(ctx, t, node)
		t.Cleanup(func() { restore(t, "taint", "node", node, taint+"-") })
		kubectl(ctx, t, "taint", "node", node, taint+"=now:NoExecute")
		gone(ctx, t, moved)
		settled(ctx, t)
	})
	o.invariants(t)
	if len(moved) == 0 {
		t.Fatalf("no pod was on %s", node)
	}
	for _, p := range moved {
		stoppedClean(t, o.ends, p)
	}
	restore(t, "taint", "node", node, taint+"-")
	spread(t, node)
}

// A node loses its power. Nobody can know whether its pods still run, so the
// StatefulSet waits; the operator says that they do not, and replicas start
// elsewhere. Then the node comes back.
func TestTheLossOfANodeBreaksNoInvariant(t *testing.T) {
	node := spare(t)
	const taint = "node.kubernetes.io/out-of-service"
	var lost []cluster.Pod
	o := underLoad(t, cluster.Traffic{}, func(ctx context.Context) {
		lost = podsOn(ctx, t, node)
		t.Cleanup(func() {
			machines(context.WithoutCancel(ctx), t, "up", "--nodes=2")
			restore(t, "taint", "node", node, taint+"-")
		})
		start := time.Now()
		machines(ctx, t, "kill", strings.TrimPrefix(node, "node-"))
		err := cluster.Await(ctx, 2*time.Minute, "the pods of the lost node to be given up", func(ctx context.Context) (bool, error) {
			pods, err := lab.Pods(ctx, cluster.Services...)
			alive := slices.ContainsFunc(pods, func(p cluster.Pod) bool {
				return p.Spec.NodeName == node && p.Metadata.DeletionTimestamp == nil
			})
			return err == nil && !alive, err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("given up after %.0f s", time.Since(start).Seconds())
		kubectl(ctx, t, "taint", "node", node, taint+"=lost:NoExecute")
		settled(ctx, t)
		t.Logf("complete again after %.0f s", time.Since(start).Seconds())
	})
	o.invariants(t)
	if len(lost) == 0 {
		t.Fatalf("no pod was on %s", node)
	}
	machines(t.Context(), t, "up", "--nodes=2")
	restore(t, "taint", "node", node, taint+"-")
	spread(t, node)
}

// spare returns the node that may be taken away: it is not the load's, and has
// pods.
func spare(t *testing.T) string {
	t.Helper()
	first, err := lab.FirstNode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for node := range strings.FieldsSeq(kubectl(t.Context(), t, "get", "nodes", "--output=jsonpath={.items[*].metadata.name}")) {
		if node != first {
			return node
		}
	}
	t.Fatal("the cluster has one node only")
	return ""
}

func podsOn(ctx context.Context, t *testing.T, node string) []cluster.Pod {
	t.Helper()
	pods, err := lab.Pods(ctx, cluster.Services...)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(pods, func(p cluster.Pod) bool { return p.Spec.NodeName != node })
}

// gone waits until the pods are not there any more.
func gone(ctx context.Context, t *testing.T, pods []cluster.Pod) {
	t.Helper()
	err := cluster.Await(ctx, 2*time.Minute, "the pods to be gone", func(ctx context.Context) (bool, error) {
		now, err := lab.Pods(ctx, cluster.Services...)
		left := slices.ContainsFunc(now, func(p cluster.Pod) bool {
			return slices.ContainsFunc(pods, func(before cluster.Pod) bool { return before.Metadata.UID == p.Metadata.UID })
		})
		return err == nil && !left, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fewestReady returns the lowest number of ready replicas of each service that
// was seen meanwhile.
func fewestReady(ctx context.Context, t *testing.T, do func()) map[string]int {
	t.Helper()
	fewest := map[string]int{}
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan error, 1)
	go func() {
		watched <- cluster.Await(ctx, 10*time.Minute, "the end", func(ctx context.Context) (bool, error) {
			pods, err := lab.Pods(ctx, cluster.Services...)
			if err != nil {
				return ctx.Err() != nil, err
			}
			ready := map[string]int{}
			for _, p := range pods {
				if p.Ready() {
					ready[p.Service()]++
				}
			}
			for _, service := range cluster.Services {
				if n, seen := fewest[service]; !seen || ready[service] < n {
					fewest[service] = ready[service]
				}
			}
			return ctx.Err() != nil, nil
		})
	}()
	do()
	cancel()
	<-watched // It ends by the cancellation; what it says does not matter.
	if len(fewest) == 0 {
		t.Error("nobody saw a pod")
	}
	return fewest
}

// spread lets the pods move back, one replica of each service at a time, so that
// the next test finds some on the node.
func spread(t *testing.T, node string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	kubectl(ctx, t, "uncordon", node)
	for _, service := range cluster.Services {
		if pods := podsOn(ctx, t, node); slices.ContainsFunc(pods, func(p cluster.Pod) bool { return p.Service() == service }) {
			continue
		}
		kubectl(ctx, t, "delete", "pod", service+"-1", "--wait=true")
	}
	settled(ctx, t)
}

// restore undoes something, also after a failure; what is undone already is fine.
func restore(t *testing.T, args ...string) {
	t.Helper()
	if _, err := lab.Kubectl(context.WithoutCancel(t.Context()), args...); err != nil && !strings.Contains(err.Error(), "not found") {
		t.Error(err)
	}
}

// kubectlLong is kubectl for what waits by itself, with a limit of its own.
func kubectlLong(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	command := append(strings.Fields(os.Getenv("CURFEW_KUBECTL")), args...)
	if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out))
	}
}

// machines does something to the machines of the cluster: CURFEW_LAB is the
// command for that.
func machines(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	command := append(strings.Fields(os.Getenv("CURFEW_LAB")), args...)
	if len(command) == len(args) {
		t.Fatal("CURFEW_LAB does not say how to reach the cluster's machines; run `make k8s-test`")
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out))
	}
}
