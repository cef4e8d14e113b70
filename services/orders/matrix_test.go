package orders

import (
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz/authztest"
	"github.com/curfew-platform/curfew/pkg/server"
)

func TestEveryMethodRoleResourceTokenAndStalenessIsDecidedAsTheRulesSay(t *testing.T) {
	policy, err := newPolicy()
	if err != nil {
		t.Fatal(err)
	}
	authztest.Walk(t, authztest.Service{
		Policy: policy, Permissions: permissionsFile,
		Chain: func(c interceptors.Config) (*interceptors.Chain, error) {
			return server.NewChain(nil, &server.Settings{}, c)
		},
	})
}
