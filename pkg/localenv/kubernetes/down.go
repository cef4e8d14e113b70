//go:build linux

package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Down ends the lab and removes everything of it, the folder too. A lab that
// does not run is no error; neither is one whose driver was killed.
func (l *Lab) Down(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: it needs root, for namespaces and control groups", ErrMissing)
	}
	if _, err := os.Stat(l.dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := l.lock(true)
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.clean(ctx); err != nil {
		return err
	}
	return os.RemoveAll(l.dir)
}

// Kill ends one node as a loss of power does; the cluster finds out by itself.
// `Up` brings it back.
func (l *Lab) Kill(ctx context.Context, number int) error {
	n := l.node(number)
	if _, err := n.pid(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return n.kill(ctx)
}

// clean ends what runs and removes what is left, except for the lock.
func (l *Lab) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for number := mostNodes; number >= 1; number-- {
		if err := l.node(number).kill(ctx); err != nil {
			return err
		}
	}
	if err := machine.remove(ctx, l.group()); err != nil {
		return err
	}
	if err := l.removeData(); err != nil {
		return err
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return fmt.Errorf("read the lab's folder: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == "lock" {
			continue
		}
		if err := os.RemoveAll(l.path(entry.Name())); err != nil {
			return fmt.Errorf("clean the lab's folder: %w", err)
		}
	}
	return nil
}
