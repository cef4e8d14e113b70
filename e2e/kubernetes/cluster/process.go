package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroups is where the node's control groups are mounted: this machine's.
const cgroups = "/sys/fs/cgroup"

// controlGroup returns the folder of a container in the tree of a controller
// (version 1) or in the one tree (version 2).
func (c *Cluster) controlGroup(ctx context.Context, pod, container, controller string) (string, error) {
	p, err := c.Pod(ctx, pod)
	if err != nil {
		return "", err
	}
	id := ""
	for _, status := range p.Status.Containers {
		if status.Name == container {
			_, id, _ = strings.Cut(status.ContainerID, "://")
		}
	}
	if id == "" {
		return "", fmt.Errorf("container %s of pod %s does not run", container, pod)
	}
	root := filepath.Join(cgroups, controller)
	if _, err := os.Stat(root); err != nil {
		root = cgroups
	}
	found := ""
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && errors.Is(err, fs.ErrNotExist):
			return nil // it ended while we looked
		case err != nil:
			return err
		case d.IsDir() && strings.Contains(d.Name(), id):
			found = path
			return fs.SkipAll
		}
		return nil
	})
	if err == nil && found == "" {
		err = fmt.Errorf("no control group of %s below %s", id, root)
	}
	return found, err
}

// Processes returns the ids, on this machine, of the processes of a container.
func (c *Cluster) Processes(ctx context.Context, pod, container string) ([]int, error) {
	group, err := c.controlGroup(ctx, pod, container, "memory")
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	if err != nil {
		return nil, fmt.Errorf("processes of %s: %w", pod, err)
	}
	var ids []int
	for field := range strings.FieldsSeq(string(content)) {
		id, err := strconv.Atoi(field)
		if err != nil || id <= 0 {
			return nil, fmt.Errorf("processes of %s: %q", pod, field)
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("pod %s has no processes", pod)
	}
	return ids, nil
}

// Signal sends a signal to all processes of a container: from the machine
// around it, as the kernel or an operator does.
func (c *Cluster) Signal(ctx context.Context, pod, container string, signal syscall.Signal) error {
	ids, err := c.Processes(ctx, pod, container)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := syscall.Kill(id, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal process %d of %s: %w", id, pod, err)
		}
	}
	return nil
}

// Exhaust lets a running container run out of memory: its limit goes down to
// what its processes have allocated and a little more, and somebody among them
// writes a file in memory, so that the kernel ends the largest of them.
func (c *Cluster) Exhaust(ctx context.Context, pod, container string) error {
	group, err := c.controlGroup(ctx, pod, container, "memory")
	if err != nil {
		return err
	}
	if err := squeeze(ctx, group); err != nil {
		return fmt.Errorf("limit the memory of %s: %w", pod, err)
	}
	file, err := os.CreateTemp("/dev/shm", "curfew-k8s-*")
	if err != nil {
		return fmt.Errorf("exhaust %s: %w", pod, err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // A file in memory is memory until then.
	if err := file.Close(); err != nil {
		return fmt.Errorf("exhaust %s: %w", pod, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	const join = `echo $$ >"$0/cgroup.procs" && exec head -c 268435456 /dev/zero >"$1"`
	// It is killed too, if it comes to that.
	_ = owned(exec.CommandContext(ctx, "sh", "-c", join, group, file.Name())).Run() //nolint:gosec // our own
	return nil
}

// squeeze lowers the limit of a control group.
func squeeze(ctx context.Context, group string) error {
	stat, err := os.ReadFile(filepath.Join(group, "memory.stat"))
	if err != nil {
		return err
	}
	allocated := int64(0)
	for line := range strings.Lines(string(stat)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "total_rss" || name == "anon" { // version 1, version 2
			if allocated, err = strconv.ParseInt(value, 10, 64); err != nil {
				return err
			}
		}
	}
	limit := filepath.Join(group, "memory.limit_in_bytes")
	if _, err := os.Stat(limit); err != nil {
		limit = filepath.Join(group, "memory.max")
	}
	const more = 16 << 20
	// The kernel says EBUSY until it has given up enough of the cached files.
	return Await(ctx, 10*time.Second, "a lower limit", func(context.Context) (bool, error) {
		err := os.WriteFile(limit, []byte(strconv.FormatInt(allocated+more, 10)), 0o600)
		return err == nil, err
	})
}
