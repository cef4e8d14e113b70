//go:build linux

package kubernetes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// tree makes files below a folder; an empty one is a folder's mark.
func tree(t *testing.T, files map[string]string) cgroups {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cgroups{root: root}
}

func content(t *testing.T, c cgroups, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(c.root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAGroupOfVersion1IsMadeInEveryHierarchyAndHasProcessors(t *testing.T) {
	c := tree(t, map[string]string{
		"memory/cgroup.procs": "", "cpu/cgroup.procs": "",
		"cpuset/cgroup.procs": "", "cpuset/cpuset.cpus": "0-3", "cpuset/cpuset.mems": "0",
	})
	// As on systems that mount both together.
	if err := os.Symlink("cpu", filepath.Join(c.root, "cpuacct")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // The second time it is there.
		if err := c.add("/lab/node-1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"memory/lab/node-1", "cpu/lab/node-1"} {
		if _, err := os.Stat(filepath.Join(c.root, dir)); err != nil {
			t.Error(err)
		}
	}
	for _, file := range []string{"cpuset/lab/cpuset.cpus", "cpuset/lab/node-1/cpuset.cpus"} {
		if got := content(t, c, file); got != "0-3" {
			t.Errorf("%s is %q", file, got)
		}
	}
}

func TestAGroupOfVersion2MayUseAllControllersOnEveryLevel(t *testing.T) {
	c := tree(t, map[string]string{
		"cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": "",
		// The kernel makes these with the folders.
		"lab/cgroup.controllers": "cpu memory\n", "lab/cgroup.subtree_control": "",
		"lab/node-1/cgroup.controllers": "cpu memory\n", "lab/node-1/cgroup.subtree_control": "",
	})
	if err := c.add("/lab/node-1"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{".", "lab", "lab/node-1"} {
		if got := content(t, c, filepath.Join(dir, "cgroup.subtree_control")); got != "+cpu +memory" {
			t.Errorf("%s delegates %q", dir, got)
		}
	}
}

func TestGroupsAreRemovedWithThoseBelowAndAGroupThatStaysIsNamed(t *testing.T) {
	c := tree(t, map[string]string{"memory/cgroup.procs": ""})
	if err := os.MkdirAll(filepath.Join(c.root, "memory/lab/node-1/pods/pod"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.remove(t.Context(), "lab"); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.root, "memory/lab*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	// A file stands for what keeps the kernel from removing a group.
	busy := filepath.Join(c.root, "memory/lab/busy")
	if err := errors.Join(os.MkdirAll(filepath.Dir(busy), 0o755), os.WriteFile(busy, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.remove(ctx, "lab"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAMachineWithoutControlGroupsIsRefused(t *testing.T) {
	if err := (cgroups{root: t.TempDir()}).add("/lab"); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v", err)
	}
}

func TestLabsOfTwoFoldersShareNoName(t *testing.T) {
	var groups []string
	for _, dir := range []string{"/tmp/a", "/tmp/b"} {
		l, err := Open(dir, "/programs", nil)
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, l.group())
	}
	if groups[0] == groups[1] {
		t.Errorf("both have %s", groups[0])
	}
}
