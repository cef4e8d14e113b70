package dev

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/curfew-platform/curfew/pkg/localenv/daemon"
)

// runOnce runs a subcommand of a service to its end. What it prints goes to the
// log, and the end of it into the error.
func (r *runner) runOnce(ctx context.Context, service string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	var out bytes.Buffer
	p, err := daemon.Start(daemon.Spec{
		Name: service + " " + args[0], Path: self, Args: append([]string{"run", service}, args...),
		Env: r.vars.Environ(), Output: &out,
	})
	if err != nil {
		return err
	}
	select {
	case <-p.Exited():
	case <-ctx.Done():
		return p.Stop(ctx)
	}
	r.log.Info("ran once", "service", service, "command", args[0], "output", out.String())
	if err := p.Err(); err != nil {
		const most = 2000
		text := strings.TrimSpace(out.String())
		return fmt.Errorf("%s %s: %w\n%s", service, args[0], err, text[max(0, len(text)-most):])
	}
	return nil
}
