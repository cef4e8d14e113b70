// Package kubernetes tests Curfew on a real Kubernetes: kubelet, containerd,
// controllers, probes and graces as in production. `make k8s-test` brings one
// up, deploys to it and runs this package; it runs in no other way.
package kubernetes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/kubernetes/cluster"
	"github.com/curfew-platform/curfew/e2e/load"
)

// lab is the cluster that the tests share; each leaves it as it was.
var lab *cluster.Cluster

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		code = 1
	}
	os.Exit(code)
}

// settleLimit bounds a rollout: three replicas, each with its grace and its start.
const settleLimit = 3 * time.Minute

func run(m *testing.M) (code int, err error) {
	if lab, err = cluster.FromEnvironment(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*settleLimit)
	defer cancel()
	err = lab.Settled(ctx, settleLimit, cluster.Services...)
	if err == nil {
		err = lab.Seed(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("%w; %w", err, lab.Dump(context.Background(), dumps("start")))
	}
	return m.Run(), nil
}

// dumps is the folder for what is kept of a failure.
func dumps(name string) string {
	dir := os.Getenv("CURFEW_K8S_DUMPS")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "curfew-k8s")
	}
	return filepath.Join(dir, strings.NewReplacer("/", "-", " ", "-").Replace(name))
}

// soak tells whether time does not matter.
func soak() bool { return os.Getenv("CURFEW_TEST_SIZE") == "soak" }

// bigger returns a number for CI, or one for the soak.
func bigger[T any](ci, long T) T {
	if soak() {
		return long
	}
	return ci
}

// outcome is what was seen while something was done to the cluster.
type outcome struct {
	verdict  load.Verdict
	findings load.Findings
	ends     []cluster.End
}

// underLoad puts the load on the platform, does something to it, and compares
// what everybody saw with what the databases hold.
func underLoad(t *testing.T, traffic cluster.Traffic, do func(context.Context)) outcome {
	t.Helper()
	ctx := t.Context()
	t.Cleanup(func() {
		if t.Failed() {
			dir := dumps(t.Name())
			t.Logf("pods, events and logs are in %s (%v)", dir, lab.Dump(context.WithoutCancel(ctx), dir))
		}
	})
	traffic = complete(t, traffic)
	ends, err := lab.WatchEnds(ctx)
	if err != nil {
		t.Fatal(err)
	}
	watching := true
	stop := func() {
		if watching {
			watching = false
			if err := ends.Stop(); err != nil {
				t.Error(err)
			}
		}
	}
	defer stop()
	if err := lab.StartLoad(ctx, traffic); err != nil {
		t.Fatal(err)
	}
	do(ctx)
	var o outcome
	if o.verdict, err = lab.StopLoad(ctx); err != nil {
		t.Fatal(err)
	}
	stop()
	o.ends = ends.Seen()
	if o.findings, err = lab.Check(ctx, o.verdict); err != nil {
		t.Fatal(err)
	}
	o.print(t)
	return o
}

// complete fills in what a test does not say.
func complete(t *testing.T, traffic cluster.Traffic) cluster.Traffic {
	t.Helper()
	if traffic.Rate == 0 {
		traffic.Rate = bigger(5000, 20_000)
	}
	if traffic.Replicas == nil {
		traffic.Replicas = map[string]int{}
		for _, service := range cluster.Services {
			n, err := lab.Replicas(t.Context(), service)
			if err != nil {
				t.Fatal(err)
			}
			traffic.Replicas[service] = n
		}
	}
	if traffic.Node == "" {
		node, err := lab.FirstNode(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		traffic.Node = node
	}
	return traffic
}

func (o outcome) print(t *testing.T) {
	t.Helper()
	v, f := o.verdict, o.findings
	var calls int64
	for _, c := range v.Calls {
		calls += c.Calls
	}
	t.Logf("%.0f s: %d calls, %d failed %v; %d revocations, longest %d ms, %d answers to ended tokens, %d leaks; %d orders; %d log records, %d lost, %d duplicated, caught up in %.1f s",
		v.Seconds, calls, v.Failed, v.Codes, v.Revocations, v.LongestMS, v.Checks, v.Leaks, v.Orders, v.Produced, f.Lost, f.Duplicated, f.CaughtUpSeconds)
	for _, s := range v.Samples {
		t.Log("failed: ", s)
	}
	for _, e := range o.ends {
		if r, err := e.Report(); err == nil {
			t.Logf("%s/%s: %s, exit code %d, stop took %v of %v", e.Pod, e.Container, r.Outcome, e.ExitCode, time.Duration(r.Used).Round(time.Millisecond), time.Duration(r.Budget))
		} else {
			t.Logf("%s/%s: %s, exit code %d, no report", e.Pod, e.Container, e.Reason, e.ExitCode)
		}
	}
}

// invariants fails the test if one of the three stories does not hold.
func (o outcome) invariants(t *testing.T) {
	t.Helper()
	for _, wrong := range o.findings.Wrong {
		t.Error(wrong)
	}
	if v := o.verdict; v.Revocations == 0 || v.Checks == 0 || v.Orders == 0 || v.Produced == 0 {
		t.Errorf("the load did nothing: %+v", v)
	}
}

// unnoticed fails the test if a client noticed anything.
func (o outcome) unnoticed(t *testing.T) {
	t.Helper()
	o.invariants(t)
	if o.verdict.Failed > 0 || o.verdict.Unsettled > 0 {
		t.Errorf("%d calls failed %v and %d orders have no outcome: %q", o.verdict.Failed, o.verdict.Codes, o.verdict.Unsettled, o.verdict.Samples)
	}
}

// settled waits for the services to be complete.
func settled(ctx context.Context, t *testing.T) {
	t.Helper()
	if err := lab.Settled(ctx, settleLimit, cluster.Services...); err != nil {
		t.Error(err)
	}
}

// kubectl runs kubectl and fails the test if that fails.
func kubectl(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	out, err := lab.Kubectl(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
