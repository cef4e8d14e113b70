package auth

import (
	"context"
	"fmt"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/auth/internal/postgres"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// recoverArgs are the flags of the recover command.
type recoverArgs struct {
	KeepSessions bool `help:"Keep the sessions that the database has: also those that were revoked in the lost time, and whoever stole one."`
}

// runRecover makes a database fit for service that has lost commits. No replica may run meanwhile.
func runRecover(ctx context.Context, rt *server.Runtime, cfg *Config, args *recoverArgs) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	pool, keys, err := open(ctx, rt, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	key, err := signingkey.Replacement(keys)
	if err != nil {
		return err
	}
	done, err := postgres.New(pool, cfg.Issuer, ruleLife()).Recover(ctx, key, args.KeepSessions)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(rt.Stdout, "generation %s: %d signing keys revoked and replaced by %s, %d sessions ended, %d users with a new epoch\n",
		done.Generation, done.Keys, key.ID, done.Sessions, done.Users)
	return err
}
