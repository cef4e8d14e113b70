//go:build linux

package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cgroups is the mounted tree of control groups, of version 1 or 2.
type cgroups struct{ root string }

var machine = cgroups{root: "/sys/fs/cgroup"}

// unified tells whether the tree is one of version 2.
func (c cgroups) unified() bool {
	_, err := os.Stat(filepath.Join(c.root, "cgroup.controllers"))
	return err == nil
}

// hierarchies are the folders in which a group has to be made.
func (c cgroups) hierarchies() ([]string, error) {
	if c.unified() {
		return []string{c.root}, nil
	}
	found, err := filepath.Glob(filepath.Join(c.root, "*", "cgroup.procs"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("%w: no control groups in %s", ErrMissing, c.root)
	}
	var list []string
	for _, file := range found {
		// "cpu" and "cpuacct" may be links to one folder.
		dir, err := filepath.EvalSymlinks(filepath.Dir(file))
		if err != nil {
			return nil, fmt.Errorf("look for control groups: %w", err)
		}
		if !slices.Contains(list, dir) {
			list = append(list, dir)
		}
	}
	return list, nil
}

// add makes the group, a path such as /curfew/node-1, in every hierarchy.
func (c cgroups) add(group string) error {
	dirs, err := c.hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := c.grow(dir, group); err != nil {
			return fmt.Errorf("make a control group: %w", err)
		}
	}
	return nil
}

func (c cgroups) grow(dir, group string) error {
	for name := range strings.SplitSeq(strings.Trim(group, "/"), "/") {
		if c.unified() {
			if err := delegate(dir); err != nil {
				return err
			}
		}
		parent := dir
		dir = filepath.Join(dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // As the kernel makes them.
			return err
		}
		// A new group of cpuset in version 1 has no processors and takes no process.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(parent, file))
			if errors.Is(err, fs.ErrNotExist) || c.unified() {
				continue
			}
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, file), value, 0o600); err != nil {
				return err
			}
		}
	}
	if c.unified() {
		return delegate(dir)
	}
	return nil
}

// delegate lets the groups below use all controllers of this one.
func delegate(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	var enable []string
	for controller := range strings.FieldsSeq(string(raw)) {
		enable = append(enable, "+"+controller)
	}
	if len(enable) == 0 {
		return nil
	}
	err = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(strings.Join(enable, " ")), 0o600)
	if err != nil {
		return fmt.Errorf("%w (a group with processes cannot have groups with limits below: "+
			"in a container, move its processes to a group of their own first)", err)
	}
	return nil
}

// remove removes the group and those below. Processes that were killed a moment
// ago may still be in them.
func (c cgroups) remove(ctx context.Context, group string) error {
	dirs, err := c.hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		what := filepath.Join(dir, group)
		if err := await(ctx, "the end of what is in "+what, func(context.Context) error { return prune(what) }); err != nil {
			return err
		}
	}
	return nil
}

func prune(dir string) error {
	var below []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			below = append(below, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Reverse(below) // Children first.
	for _, path := range below {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// await polls done until it returns nil; its last error is part of the error
// when ctx ends first.
func await(ctx context.Context, what string, done func(context.Context) error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, errors.Join(context.Cause(ctx), err))
		case <-tick.C:
		}
	}
}
