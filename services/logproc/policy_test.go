package logproc

import (
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
)

func TestOnlyStaffMayReadLogs(t *testing.T) {
	policy, err := newPolicy()
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range policy.Rules() {
		for role, want := range map[string]authz.Access{"admin": authz.Any, "operator": authz.Any, "customer": authz.Denied, "": authz.Denied} {
			if got := rule.Access(role); got != want {
				t.Errorf("%s for role %q is %s, want %s", rule.Method, role, got, want)
			}
		}
	}
}
