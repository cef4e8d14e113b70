package authztest

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// ruleOf reads the option of a method; never nil.
func ruleOf(m protoreflect.MethodDescriptor) *authzv1.MethodRule {
	rule, _ := proto.GetExtension(m.Options(), authzv1.E_Rule).(*authzv1.MethodRule)
	return rule
}

// grants reads the permissions file.
func grants(t *testing.T, file []byte) map[string][]string {
	t.Helper()
	var content struct {
		Roles map[string][]string `json:"roles"`
	}
	if err := json.Unmarshal(file, &content); err != nil {
		t.Fatal(err)
	}
	return content.Roles
}

// declared is what the rules of a service tell apart: each age of a login and
// each staleness is tried on both of its sides.
type declared struct {
	ages, bounds []time.Duration
	introspect   bool
}

func declaredBy(methods []protoreflect.MethodDescriptor) declared {
	ages, bounds := map[time.Duration]struct{}{}, map[time.Duration]struct{}{10 * time.Second: {}}
	var d declared
	for _, m := range methods {
		rule := ruleOf(m)
		for _, age := range []time.Duration{rule.GetMaxAuthAge().AsDuration(), rule.GetCrossOwnerMaxAuthAge().AsDuration()} {
			if age > 0 {
				ages[age] = struct{}{}
			}
		}
		if bound := rule.GetMaxStaleness().AsDuration(); bound > 0 {
			bounds[bound] = struct{}{}
		}
		d.introspect = d.introspect || rule.GetStaleness() == authzv1.StalenessPolicy_STALENESS_POLICY_INTROSPECT
	}
	d.ages, d.bounds = slices.Sorted(maps.Keys(ages)), slices.Sorted(maps.Keys(bounds))
	return d
}

// callers are the sets of roles: each, all, none, and one that nobody grants
// anything.
func (w *walk) callers() [][]string {
	all := slices.Sorted(maps.Keys(w.roles))
	sets := [][]string{{}, {"stranger"}, all}
	for _, role := range all {
		sets = append(sets, []string{role})
	}
	return sets
}
