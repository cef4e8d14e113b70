package interceptors

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// A login grows old while a stream runs.
func TestALaterMessageOfAStreamIsJudgedByItsOwnTime(t *testing.T) {
	perms, err := authz.ParsePermissions([]byte(shop.Permissions))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authz.NewPolicy(authz.FileServices(shop.File), perms)
	if err != nil {
		t.Fatal(err)
	}
	rule, _ := policy.Rule("/" + shop.ServiceName + "/Close")
	message := shop.Message{Name: "users/u1/things/1"}.Proto()
	judge := func(authenticated time.Time) error {
		c := &call{
			rule: rule, streamed: true, judged: true, started: time.Now().Add(-time.Hour),
			identity: &identity.Identity{Subject: "u1", Roles: []string{"customer"}, ACR: "aal2", AuthTime: authenticated},
		}
		return authorizationLink().message(t.Context(), c, message)
	}
	if err := judge(time.Now()); err != nil {
		t.Errorf("who has just authenticated: %v", err)
	}
	err = judge(time.Now().Add(-rule.MaxAuthAge - time.Minute))
	if status.Code(err) != codes.PermissionDenied || status.Reason(err) != "STEP_UP_REQUIRED" {
		t.Errorf("who did so before the stream was as old: %v", err)
	}
}
