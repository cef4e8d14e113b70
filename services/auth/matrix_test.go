package auth

import (
	"context"
	"errors"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz/authztest"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	revocations "github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/server"
	"github.com/curfew-platform/curfew/services/auth/internal/introspect"
)

// committed is the primary database as the walk has it.
type committed struct{ interceptors.Introspector }

// Live implements introspect.Store.
func (c committed) Live(ctx context.Context, id *identity.Identity) (bool, error) {
	err := c.Introspect(ctx, id, "")
	if errors.Is(err, revocations.ErrRevoked) {
		return false, nil
	}
	return err == nil, err
}

func TestEveryMethodRoleResourceTokenAndStalenessIsDecidedAsTheRulesSay(t *testing.T) {
	policy, err := newPolicy()
	if err != nil {
		t.Fatal(err)
	}
	authztest.Walk(t, authztest.Service{
		Policy: policy, Permissions: permissionsFile,
		Chain: func(c interceptors.Config) (*interceptors.Chain, error) {
			c.Introspector = primary{introspect.New(c.Verifier, committed{c.Introspector})}
			return server.NewChain(nil, &server.Settings{}, c)
		},
	})
}
