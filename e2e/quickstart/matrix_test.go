package quickstart

import (
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz/authztest"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
)

func TestEveryCallIsDecidedAsTheRulesSay(t *testing.T) {
	roles, err := authz.ParsePermissions(permissions)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authz.NewPolicy(authz.FileServices(ordersv1.File_curfew_orders_v1_catalog_service_proto), roles)
	if err != nil {
		t.Fatal(err)
	}
	authztest.Walk(t, authztest.Service{Policy: policy, Permissions: permissions, External: true})
}
