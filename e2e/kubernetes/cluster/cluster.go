// Package cluster drives a Kubernetes that Curfew is deployed to, by kubectl
// alone. Every wait has a limit and says what it waited for.
package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Namespace is where Curfew runs.
const Namespace = "curfew"

// Services are those of Curfew, in the order in which they depend on each other.
var Services = []string{"auth", "orders", "logproc"}

const (
	// commandLimit bounds one kubectl that does not wait.
	commandLimit = time.Minute
	pollEvery    = 200 * time.Millisecond
)

// Cluster is how to reach one. Its methods may be called concurrently.
type Cluster struct {
	kubectl []string // the command, with its first arguments
	inside  []string // runs a command in the network of the node
	bin     string   // folder of this repository's programs, as seen from there
}

// FromEnvironment reads CURFEW_KUBECTL, CURFEW_INSIDE and CURFEW_BIN_DIR.
func FromEnvironment() (*Cluster, error) {
	c := &Cluster{
		kubectl: strings.Fields(os.Getenv("CURFEW_KUBECTL")),
		inside:  strings.Fields(os.Getenv("CURFEW_INSIDE")),
		bin:     os.Getenv("CURFEW_BIN_DIR"),
	}
	if len(c.kubectl) == 0 || len(c.inside) == 0 || c.bin == "" {
		return nil, errors.New("no cluster: CURFEW_KUBECTL, CURFEW_INSIDE and CURFEW_BIN_DIR say how to reach one; run `make k8s-test`")
	}
	return c, nil
}

// Kubectl runs kubectl in the namespace and returns what it prints.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) ([]byte, error) {
	return c.KubectlWith(ctx, nil, args...)
}

// KubectlWith is Kubectl with standard input.
func (c *Cluster) KubectlWith(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := c.command(ctx, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	return output(cmd)
}

func (c *Cluster) command(ctx context.Context, args ...string) *exec.Cmd {
	all := slices.Concat(c.kubectl, []string{"--namespace=" + Namespace}, args)
	return owned(exec.CommandContext(ctx, all[0], all[1:]...)) //nolint:gosec // our own
}

// Inside runs a program of this repository in the network of the node.
func (c *Cluster) Inside(ctx context.Context, env []string, stdin io.Reader, program string, args ...string) *exec.Cmd {
	all := slices.Concat(c.inside, []string{"env"}, env, []string{c.bin + "/" + program}, args)
	cmd := owned(exec.CommandContext(ctx, all[0], all[1:]...)) //nolint:gosec // our own
	cmd.Stdin = stdin
	return cmd
}

// owned lets the end of the context be SIGINT first, for the command and for
// what it started to get where it is.
func owned(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// output runs a command; its error has what it said on standard error.
func output(cmd *exec.Cmd) ([]byte, error) {
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(said.String()))
	}
	return out.Bytes(), nil
}

// get decodes what kubectl get -o json prints.
func (c *Cluster) get(ctx context.Context, into any, args ...string) error {
	out, err := c.Kubectl(ctx, append([]string{"get", "--output=json"}, args...)...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("read what kubectl prints: %w", err)
	}
	return nil
}

// Await polls until the condition holds. An error of the condition is what the
// wait ends with if it never does.
func Await(ctx context.Context, limit time.Duration, what string, is func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ok, err := is(ctx)
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waited %v for %s", limit, what), err)
		}
	}
}
