package identity_test

import (
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

func TestAPrincipalIsAUserOrAService(t *testing.T) {
	for subject, want := range map[string]string{"u1": "users/u1", "services/orders": "services/orders"} {
		id := identity.Identity{Subject: subject}
		if id.Principal() != want || id.IsService() != (subject != "u1") {
			t.Errorf("%s: %s, service %t", subject, id.Principal(), id.IsService())
		}
	}
}

func TestAContextWithoutACallHasNoIdentity(t *testing.T) {
	if _, ok := identity.FromContext(t.Context()); ok {
		t.Error("an identity from nowhere")
	}
	if _, ok := identity.FromContext(identity.NewContext(t.Context(), nil)); ok {
		t.Error("nil is an identity")
	}
	id := &identity.Identity{Subject: "u1"}
	if got, ok := identity.FromContext(identity.NewContext(t.Context(), id)); !ok || got != id {
		t.Errorf("got %v", got)
	}
}
