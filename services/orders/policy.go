package orders

import (
	_ "embed"
	"io"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/server/guard"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

//go:embed permissions.json
var permissionsFile []byte

// newPolicy is the same whatever a process serves: what is left out is not
// registered, and what is registered has its rule.
func newPolicy() (*authz.Policy, error) {
	permissions, err := authz.ParsePermissions(permissionsFile)
	if err != nil {
		return nil, err
	}
	return authz.NewPolicy(authz.FileServices(
		ordersv1.File_curfew_orders_v1_catalog_service_proto,
		ordersv1.File_curfew_orders_v1_order_command_service_proto,
		ordersv1.File_curfew_orders_v1_order_query_service_proto,
		ordersv1.File_curfew_orders_v1_order_admin_service_proto,
		ordersv1.File_curfew_orders_v1_order_stats_service_proto,
	), permissions)
}

// describe writes the chain and the authorization matrix, for --check.
func (c *Config) describe(w io.Writer) error {
	policy, err := newPolicy()
	if err != nil {
		return err
	}
	return guard.Describe(w, &c.Guard, &c.Settings, policy)
}
