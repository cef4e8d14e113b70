package interceptors_test

import (
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/authz/authztest"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

func TestEveryMethodAdmitsExactlyTheRolesOfTheMatrixOnOwnAndForeignResources(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	authztest.Walk(t, h.conn, authz.FileServices(shop.File), policy(t), func(t testing.TB, subject, role string) string {
		t.Helper()
		return h.issuer.User(t, subject, []string{role}, tokentest.Claims{"acr": "aal3"})
	})
}
