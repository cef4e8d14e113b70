package authz_test

import (
	"errors"
	"testing"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
)

func rule(t *testing.T, method string) *authz.Rule {
	t.Helper()
	r, ok := shopPolicy(t).Rule("/" + shop.ServiceName + "/" + method)
	if !ok {
		t.Fatalf("no rule for %s", method)
	}
	return r
}

func TestAllUsersAreNobodysOwnWhateverTheSubjectIs(t *testing.T) {
	get := rule(t, "Get")
	for _, subject := range []string{"-", "", "services/-"} {
		id := &identity.Identity{Subject: subject, Roles: []string{"customer"}}
		if err := get.Request(id, shop.Message{Name: "users/-/things/1"}.Proto(), time.Now()); !errors.Is(err, authz.ErrDenied) {
			t.Errorf("%q: %v", subject, err)
		}
	}
}

func TestWithoutAnIdentityOnlyPublicMethodsAreAdmitted(t *testing.T) {
	for _, r := range shopPolicy(t).Rules() {
		if err := r.Caller(nil, time.Now()); (err == nil) != r.Public {
			t.Errorf("%s: %v", r.Method, err)
		}
	}
	if err := rule(t, "Get").Request(nil, shop.Message{Name: "users/u1"}.Proto(), time.Now()); !errors.Is(err, authz.ErrDenied) {
		t.Errorf("got %v", err)
	}
}

func TestAMissingTimeOfAuthenticationIsOlderThanEveryAge(t *testing.T) {
	id := &identity.Identity{Subject: "u1", Roles: []string{"customer"}, ACR: "aal3"}
	if err := rule(t, "Close").Caller(id, time.Now()); !errors.Is(err, authz.ErrStepUp) {
		t.Errorf("got %v", err)
	}
}

func TestPermissionsOfSeveralRolesAddUp(t *testing.T) {
	get := rule(t, "Get")
	id := &identity.Identity{Subject: "u1", Roles: []string{"unknown", "customer", "admin"}}
	if err := errors.Join(get.Caller(id, time.Now()), get.Request(id, shop.Message{Name: "users/u2"}.Proto(), time.Now())); err != nil {
		t.Error(err)
	}
}
