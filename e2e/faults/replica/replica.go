// Package replica is the smallest service behind services/auth: what guards
// every service, and two methods that tell when they were let in. The fault
// suite runs six of it.
package replica

import (
	"context"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/pkg/server/guard"
)

// Name of the service, and the end of its principal.
const Name = "probe"

// Config is the settings, as flags.
type Config struct {
	server.Settings
	Guard guard.Settings `embed:""`
}

// Common implements server.Config.
func (c *Config) Common() *server.Settings { return &c.Settings }

// Validate implements server.Config.
func (c *Config) Validate() error {
	if err := c.Settings.Validate(); err != nil {
		return err
	}
	return c.Guard.Validate()
}

// Command returns the service as a program.
func Command() server.Command {
	cfg := &Config{}
	return server.Command{
		Name:        Name,
		Description: "Says when it let a call in.",
		Config:      cfg,
		Serve:       func(_ context.Context, rt *server.Runtime) error { return serve(rt, cfg) },
		Check: func(w io.Writer) error {
			policy, err := newPolicy()
			if err != nil {
				return err
			}
			return guard.Describe(w, &cfg.Guard, &cfg.Settings, policy)
		},
	}
}

func serve(rt *server.Runtime, cfg *Config) error {
	policy, err := newPolicy()
	if err != nil {
		return err
	}
	tie, err := guard.Add(rt, &cfg.Guard, &cfg.Settings, policy)
	if err != nil {
		return err
	}
	return server.Add(rt, server.API{
		Settings: &cfg.Settings,
		Chain:    tie.Chain,
		Register: func(s grpc.ServiceRegistrar) { s.RegisterService(service(), nil) },
	})
}

func newPolicy() (*authz.Policy, error) {
	perms, err := authz.ParsePermissions([]byte(`{"roles": {"customer": ["` + permission + `"]}}`))
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	described, err := descriptor()
	if err != nil {
		return nil, err
	}
	return authz.NewPolicy(described, perms)
}
