package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// seedArgs are the flags of the seed command.
type seedArgs struct {
	File string `help:"JSON list of {\"email\", \"password\", \"roles\"}." required:"" type:"existingfile"`
}

// seedUser is one element of the file.
type seedUser struct {
	Email    string   `json:"email"`
	Password string   `json:"password"`
	Roles    []string `json:"roles"`
}

// runSeed creates the users of a file who do not exist yet. It is how the first
// administrator comes to be, and safe to run twice.
func runSeed(ctx context.Context, rt *server.Runtime, cfg *Config, args *seedArgs) error {
	content, err := os.ReadFile(args.File)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	var users []seedUser
	if err := json.Unmarshal(content, &users); err != nil {
		return fmt.Errorf("seed %s: expected a JSON list of users", args.File)
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	pool, keys, err := open(ctx, rt, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	c, err := newCore(ctx, rt.Log, cfg, pool, keys, outside{barrier: noBarrier{}, reader: passingKeyReader()})
	if err != nil {
		return err
	}
	for i, u := range users {
		if err := c.accounts.Seed(ctx, u.Email, u.Password, u.Roles); err != nil {
			return fmt.Errorf("seed: user %d of %s: %w", i+1, args.File, err)
		}
	}
	return nil
}

// noBarrier is for a process that creates and revokes nothing.
type noBarrier struct{}

var errNoFeed = errors.New("this process has no feed of revocations")

// Await implements account.Barrier.
func (noBarrier) Await(context.Context, int64) (account.Receipt, error) {
	return account.Receipt{}, errNoFeed
}
