package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
)

// recover deals with what a killed run left: an orphaned server is stopped,
// since the caller is the only user of the state folder, and a lock file whose
// process is gone or has become another program is removed, because PostgreSQL
// itself would refuse a number that was given to someone else.
func (c *Cluster) recover(ctx context.Context) error {
	lock := filepath.Join(c.data(), "postmaster.pid")
	raw, err := os.ReadFile(lock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the server's lock file: %w", err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err == nil && pid > 1 && c.serves(pid) {
		if err := c.evict(ctx, pid); err != nil {
			return err
		}
	}
	if err := os.Remove(lock); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stale lock file: %w", err)
	}
	return nil
}

// serves tells whether the process is a server on this data folder.
func (c *Cluster) serves(pid int) bool {
	line := daemon.CommandLine(pid)
	return strings.Contains(line, "postgres") && strings.Contains(line, c.data())
}

func (c *Cluster) evict(ctx context.Context, pid int) error {
	if c.config.Progress != nil {
		c.config.Progress("stopping the PostgreSQL server that an earlier run left behind")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for sig := syscall.SIGINT; c.serves(pid); sig = syscall.SIGQUIT {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the orphaned server %d: %w", pid, err)
		}
		patience := time.Now().Add(3 * time.Second)
		for c.serves(pid) && time.Now().Before(patience) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("the orphaned server %d does not stop: %w", pid, ctx.Err())
			case <-tick.C:
			}
		}
	}
	return nil
}
