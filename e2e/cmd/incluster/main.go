// Command incluster tells the stories of Curfew inside a Kubernetes that it is
// deployed to, and then restarts all of it while everybody uses it. Start it by
// make k8s-demo.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/e2e/kubernetes/cluster"
	"github.com/curfew-platform/curfew/e2e/story"
)

const (
	limit       = 15 * time.Minute
	settleLimit = 4 * time.Minute
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "incluster:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	lab, err := cluster.FromEnvironment()
	if err != nil {
		return err
	}
	if err := lab.Settled(ctx, settleLimit, cluster.Services...); err != nil {
		return err
	}
	if err := lab.Seed(ctx); err != nil {
		return err
	}
	return errors.Join(stories(ctx, lab), rollout(ctx, lab, os.Stdout))
}

// stories tells the three, from the network of the node: their thieves and
// customers call the pods, and their old ways are processes beside them.
func stories(ctx context.Context, lab *cluster.Cluster) error {
	dir, err := os.MkdirTemp("", "curfew-incluster-*")
	if err != nil {
		return fmt.Errorf("stories: %w", err)
	}
	defer os.RemoveAll(dir)
	env, err := lab.StoryEnvironment(ctx, dir)
	if err != nil {
		return err
	}
	tell := lab.Inside(ctx, env, nil, "stories")
	tell.Stdout, tell.Stderr = os.Stdout, os.Stderr
	if err := tell.Run(); err != nil {
		return fmt.Errorf("stories: %w", err)
	}
	return nil
}

// rollout restarts every StatefulSet at once under load and draws every stop.
func rollout(ctx context.Context, lab *cluster.Cluster, out io.Writer) error {
	t := story.Begin(out, "The deploy: kubectl rollout restart of everything, under load")
	traffic := cluster.Traffic{Rate: 5000, Replicas: map[string]int{}}
	pods := 0
	for _, service := range cluster.Services {
		n, err := lab.Replicas(ctx, service)
		if err != nil {
			return err
		}
		traffic.Replicas[service] = n
		pods += n
	}
	var err error
	if traffic.Node, err = lab.FirstNode(ctx); err != nil {
		return err
	}
	drawings, draw, err := follow(ctx)
	if err != nil {
		return err
	}
	defer draw()
	if err := lab.StartLoad(ctx, traffic); err != nil {
		return err
	}
	t.Sayf("customers read, order, pay and cancel; thieves log in and have their tokens ended; 5000 log records a second arrive")
	if _, err := lab.Kubectl(ctx, "rollout", "restart", "statefulset/auth", "statefulset/orders", "statefulset/logproc"); err != nil {
		return err
	}
	if err := lab.Settled(ctx, settleLimit, cluster.Services...); err != nil {
		return err
	}
	t.Sayf("%d pods were replaced", pods)
	v, err := lab.StopLoad(ctx)
	if err != nil {
		return err
	}
	f, err := lab.Check(ctx, v)
	if err != nil {
		return err
	}
	var calls int64
	for _, c := range v.Calls {
		calls += c.Calls
	}
	t.Oursf(v.Failed == 0, "%d calls, %d failed %v", calls, v.Failed, v.Codes)
	t.Oursf(v.Leaks == 0 && v.Revocations > 0, "%d revocations, %d of %d calls with an ended token admitted", v.Revocations, v.Leaks, v.Checks)
	t.Oursf(f.Lost == 0 && f.Duplicated == 0 && f.Numbered == v.Produced, "%d log records, %d lost, %d duplicated", v.Produced, f.Lost, f.Duplicated)
	t.Oursf(len(f.Wrong) == 0, "%d orders, and every invariant of the databases: %d do not hold %q", v.Orders, len(f.Wrong), f.Wrong)
	draw()
	fmt.Fprintf(out, "\nwhat the pods said when they ended (curfew stop-report --pod app.kubernetes.io/part-of=curfew --follow):\n\n%s\n", drawings())
	t.Oursf(strings.Count(drawings(), "stop: clean, exit code 0") == pods, "%d of %d pods stopped clean", strings.Count(drawings(), "stop: clean, exit code 0"), pods)
	return t.End()
}

// follow starts curfew stop-report; it returns what was drawn so far, and what ends it.
func follow(ctx context.Context) (drawings func() string, stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var out written
	cmd := exec.CommandContext(ctx, filepath.Join(os.Getenv("CURFEW_BIN_DIR"), "curfew"), "stop-report", //nolint:gosec // our own
		"--pod=app.kubernetes.io/part-of=curfew", "--namespace="+cluster.Namespace, "--follow")
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, nil, fmt.Errorf("follow the stops: %w", err)
	}
	return out.String, sync.OnceFunc(func() {
		cancel()
		_ = cmd.Wait() // It was told to end.
	}), nil
}

// written may be read while a program writes.
type written struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (w *written) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.Write(data)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.String()
}
