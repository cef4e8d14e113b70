// Package auth is the service that knows who users are: it checks passwords,
// keeps sessions, issues tokens, and revokes them, so that when a revoking call
// returns no replica of any service admits what it revoked.
//
// The package is the composition root; its binary and `curfew run auth` share
// Command. DESIGN.md in this folder says where what is.
package auth

import (
	"context"
	"time"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
)

// Command returns the service as a program: serve, migrate, seed, recover.
func Command() server.Command {
	cfg := &Config{}
	seed, lost := &seedArgs{}, &recoverArgs{}
	return server.Command{
		Name:        "auth",
		Description: "Users, sessions, tokens and the feed of revocations.",
		Config:      cfg,
		Serve:       func(ctx context.Context, rt *server.Runtime) error { return serve(ctx, rt, cfg) },
		Check:       cfg.describe,
		Migrate: func(ctx context.Context, rt *server.Runtime) error {
			return cfg.Database.Migrate(ctx, postgres.Migrations(), rt.Log)
		},
		Subcommands: []server.Subcommand{{
			Name: "seed",
			Help: "Create the users of a file who do not exist yet.",
			Args: seed,
			Run:  func(ctx context.Context, rt *server.Runtime) error { return runSeed(ctx, rt, cfg, seed) },
		}, {
			Name: "recover",
			Help: "After a restore of the database, or a failover that lost commits: refuse everything that was issued before. No replica may run.",
			Args: lost,
			Run:  func(ctx context.Context, rt *server.Runtime) error { return runRecover(ctx, rt, cfg, lost) },
		}},
	}
}

// startLimit bounds what serve asks of the database before it serves.
const startLimit = 30 * time.Second
