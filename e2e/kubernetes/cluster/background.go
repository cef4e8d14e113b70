package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/curfew-platform/curfew/e2e/load"
)

// Background is a program in the network of the node that goes on while a test does something else.
type Background struct {
	cmd  *exec.Cmd
	stop context.CancelFunc
	out  lockedBuffer
	said lockedBuffer
}

// Begin starts `load` with a command and returns once it has said the word on a line.
func (c *Cluster) Begin(ctx context.Context, word string, args ...string) (*Background, error) {
	env, err := c.Environment(ctx)
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	b := &Background{cmd: c.Inside(running, env, nil, "load", args...), stop: cancel}
	b.cmd.Stdout, b.cmd.Stderr = &b.out, &b.said
	b.cmd.WaitDelay = 20 * time.Second
	if err := b.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start load %s: %w", args[0], err)
	}
	err = Await(ctx, 30*time.Second, "load "+args[0], func(context.Context) (bool, error) {
		return strings.Contains(b.out.String(), word+"\n"), fmt.Errorf("it says: %s", b.said.String())
	})
	if err != nil {
		b.End()
		return nil, err
	}
	return b, nil
}

// End stops the program and returns what it printed.
func (b *Background) End() string {
	b.stop()
	_ = b.cmd.Wait() // Its context has ended; what it printed says how it went.
	return b.out.String()
}

// WatchProgress begins to watch the partitions of the log processor.
func (c *Cluster) WatchProgress(ctx context.Context) (*Background, error) {
	return c.Begin(ctx, "watching", "progress")
}

// Progress ends the watch of the partitions and returns what was seen.
func (b *Background) Progress() ([]load.Progress, error) {
	_, last, _ := strings.Cut(b.End(), "watching\n")
	var all []load.Progress
	if err := json.Unmarshal([]byte(last), &all); err != nil {
		return nil, fmt.Errorf("watch the partitions: %w: %s", err, b.said.String())
	}
	return all, nil
}

// Hold locks a table of a service against everybody until End, for the limit at most.
func (c *Cluster) Hold(ctx context.Context, service, table string, limit time.Duration) (*Background, error) {
	env, err := c.Environment(ctx)
	if err != nil {
		return nil, err
	}
	prefix := "CURFEW_" + strings.ToUpper(service) + "_MIGRATE_DATABASE_URL="
	for _, variable := range env {
		if url, is := strings.CutPrefix(variable, prefix); is {
			return c.Begin(ctx, "locked", "hold", "--url="+url, "--table="+table, "--for="+limit.String())
		}
	}
	return nil, fmt.Errorf("no database of %s", service)
}

// lockedBuffer may be read while a program writes.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
