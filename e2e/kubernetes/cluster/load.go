package cluster

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-platform/curfew/e2e/load"
)

//go:embed load.yaml
var loadYAML string

// Traffic is how much the load does.
type Traffic struct {
	Rate int // log records per second
	// Replicas of each service that may be there: each is asked about tokens that have ended.
	Replicas map[string]int
	Node     string // that the load runs on
}

const (
	startLimit = 90 * time.Second
	endLimit   = 2 * time.Minute
)

// StartLoad starts the pod and returns when its first calls were answered.
func (c *Cluster) StartLoad(ctx context.Context, t Traffic) error {
	if err := c.removeLoad(ctx); err != nil {
		return err
	}
	args := []string{"--rate=" + strconv.Itoa(t.Rate)}
	for _, service := range Services {
		var names []string
		for n := range t.Replicas[service] {
			names = append(names, fmt.Sprintf("%s-%d.%s-headless:9000", service, n, service))
		}
		args = append(args, fmt.Sprintf("--%s-replicas=%s", service, strings.Join(names, ",")))
	}
	list, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("start the load: %w", err)
	}
	manifest := strings.NewReplacer("ARGS", string(list), "NODE", t.Node).Replace(loadYAML)
	if _, err := c.KubectlWith(ctx, []byte(manifest), "create", "--filename=-"); err != nil {
		return err
	}
	return Await(ctx, startLimit, "the first answers to the load", func(ctx context.Context) (bool, error) {
		out, err := c.Kubectl(ctx, "logs", "load")
		if err != nil {
			return false, err
		}
		return bytes.Contains(out, []byte("running\n")), fmt.Errorf("it says: %s", out)
	})
}

// StopLoad tells the load to end and returns what it saw.
func (c *Cluster) StopLoad(ctx context.Context) (load.Verdict, error) {
	var v load.Verdict
	if _, err := c.Kubectl(ctx, "exec", "load", "--", "/load", "stop"); err != nil {
		return v, err
	}
	err := Await(ctx, endLimit, "the verdict of the load", func(ctx context.Context) (bool, error) {
		p, err := c.Pod(ctx, "load")
		return p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed", errors.Join(err, fmt.Errorf("it is %s", p.Status.Phase))
	})
	if err != nil {
		return v, err
	}
	out, err := c.Kubectl(ctx, "logs", "load")
	if err != nil {
		return v, err
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &v); err != nil {
		return v, fmt.Errorf("the load has no verdict: %w: %s", err, out)
	}
	return v, c.removeLoad(ctx)
}

func (c *Cluster) removeLoad(ctx context.Context) error {
	_, err := c.Kubectl(ctx, "delete", "pod", "load", "--ignore-not-found", "--wait=true", "--timeout=30s")
	return err
}

// Check compares the databases with what the load saw.
func (c *Cluster) Check(ctx context.Context, v load.Verdict) (load.Findings, error) {
	var f load.Findings
	env, err := c.Environment(ctx)
	if err != nil {
		return f, err
	}
	in, err := json.Marshal(v)
	if err != nil {
		return f, fmt.Errorf("check: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	out, err := output(c.Inside(ctx, env, bytes.NewReader(in), "load", "check"))
	if json.Unmarshal(out, &f) == nil && len(f.Wrong) > 0 {
		return f, nil // that is what its exit status says
	}
	return f, err
}
