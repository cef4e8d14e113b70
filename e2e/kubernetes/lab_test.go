package kubernetes

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/e2e/kubernetes/cluster"
)

// another is a lab beside the one that the other tests share.
type another struct {
	t     *testing.T
	state string
}

func anotherLab(t *testing.T) another {
	t.Helper()
	a := another{t: t, state: t.TempDir()}
	t.Cleanup(func() { a.run("down") })
	return a
}

// command is localenv, as CURFEW_LAB names it, for the other state folder.
func (a another) command(ctx context.Context, args ...string) *exec.Cmd {
	a.t.Helper()
	program := strings.Fields(os.Getenv("CURFEW_LAB"))
	if len(program) == 0 {
		a.t.Fatal("CURFEW_LAB does not say how to reach the cluster's machines; run `make k8s-test`")
	}
	return exec.CommandContext(ctx, program[0], append([]string{"--state", a.state, "kubernetes"}, args...)...)
}

func (a another) run(args ...string) string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.t.Context()), 4*time.Minute)
	defer cancel()
	out, err := a.command(ctx, args...).CombinedOutput()
	if err != nil {
		a.t.Error(fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out))
	}
	return string(out)
}

// left is what is there of the lab outside of its folder.
func (a another) left() []string {
	a.t.Helper()
	var found []string
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		a.t.Fatal(err)
	}
	for _, file := range commands {
		raw, err := os.ReadFile(file)
		if err == nil && bytes.Contains(raw, []byte(a.state)) && !bytes.Contains(raw, []byte("--state")) {
			found = append(found, file)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		a.t.Fatal(err)
	}
	if bytes.Contains(mounts, []byte(a.state)) {
		found = append(found, "mounts")
	}
	return found
}

// groups counts the labs' control groups on this machine.
func groups(t *testing.T) int {
	t.Helper()
	found := 0
	for _, pattern := range []string{"/sys/fs/cgroup/curfew-lab-*", "/sys/fs/cgroup/memory/curfew-lab-*"} {
		list, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found += len(list)
	}
	return found
}

func TestTwoLabsDoNotSeeEachOtherAndOneThatGoesLeavesNothing(t *testing.T) {
	before := groups(t)
	a := anotherLab(t)
	a.run("up")
	if nodes := a.run("kubectl", "get", "nodes", "--output=name"); strings.TrimSpace(nodes) != "node/node-1" {
		t.Errorf("nodes %q", nodes)
	}
	if out := a.run("kubectl", "get", "namespaces", "--output=name"); strings.Contains(out, cluster.Namespace) {
		t.Errorf("the other lab has the namespaces of this one: %s", out)
	}
	if groups(t) != before+1 || len(a.left()) == 0 {
		t.Error("the test does not see what a lab has outside of its folder")
	}
	a.run("down")
	if now := groups(t); now != before {
		t.Errorf("%d control groups, before %d", now, before)
	}
	if left := a.left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(a.state, "kubernetes")); !os.IsNotExist(err) {
		t.Errorf("the lab's folder: %v", err)
	}
	settled(t.Context(), t)
}

// Nobody who kills a test wants to look for the rest of a cluster.
func TestALabWhoseDriverIsKilledEndsByItself(t *testing.T) {
	before := groups(t)
	a := anotherLab(t)
	driver := a.command(t.Context(), "up")
	if err := driver.Start(); err != nil {
		t.Fatal(err)
	}
	err := cluster.Await(t.Context(), time.Minute, "the first programs of the node", func(context.Context) (bool, error) {
		return len(a.left()) > 2, nil
	})
	if killErr := driver.Process.Kill(); err != nil || killErr != nil {
		t.Fatal(err, killErr)
	}
	_ = driver.Wait() // It was killed.
	err = cluster.Await(t.Context(), time.Minute, "the end of the node", func(context.Context) (bool, error) {
		left := a.left()
		return len(left) == 0, fmt.Errorf("left: %v", left)
	})
	if err != nil {
		t.Error(err)
	}
	a.run("down")
	if now := groups(t); now != before {
		t.Errorf("%d control groups, before %d", now, before)
	}
}

// Starting PostgreSQL mends what a killed one has left. One that runs finds
// within a minute that its lock is not its own, and ends.
func TestServersThatRunAreNotStartedAgain(t *testing.T) {
	state := strings.Fields(os.Getenv("CURFEW_LAB"))
	if len(state) < 3 {
		t.Fatal("CURFEW_LAB does not say how to reach the cluster's machines; run `make k8s-test`")
	}
	lock := func() string {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(state[2], "kubernetes/servers/postgres/postgres/data/postmaster.pid"))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	before := lock()
	machines(t.Context(), t, "servers")
	if now := lock(); now != before {
		t.Errorf("the lock of postgres was %q and is %q", before, now)
	}
}
