package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Dump writes what somebody needs who was not there: pods, events, logs.
func (c *Cluster) Dump(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // for people
		return fmt.Errorf("dump: %w", err)
	}
	var errs []error
	write := func(name string, args ...string) {
		out, err := c.Kubectl(ctx, args...)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), out, 0o600)
		}
		errs = append(errs, err)
	}
	write("pods.txt", "get", "pods", "--output=wide")
	write("pods.json", "get", "pods", "--output=json")
	write("describe.txt", "describe", "pods,statefulsets,poddisruptionbudgets")
	write("events.txt", "get", "events", "--sort-by=.lastTimestamp")
	write("nodes.txt", "describe", "nodes")
	pods, err := c.Pods(ctx, append([]string{"tools"}, Services...)...)
	errs = append(errs, err)
	for _, p := range pods {
		write(p.Metadata.Name+".log", "logs", p.Metadata.Name, "--all-containers", "--tail=2000")
		for _, container := range p.Status.Containers {
			if container.RestartCount > 0 {
				write(p.Metadata.Name+".previous.log", "logs", p.Metadata.Name, "--previous", "--tail=2000")
			}
		}
	}
	return errors.Join(errs...)
}
