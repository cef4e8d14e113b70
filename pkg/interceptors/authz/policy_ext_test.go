package authz_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

var update = flag.Bool("update", false, "write the golden files")

func shopPolicy(t testing.TB) *authz.Policy {
	t.Helper()
	perms, err := authz.ParsePermissions([]byte(shop.Permissions))
	if err != nil {
		t.Fatal(err)
	}
	p, err := authz.NewPolicy(authz.FileServices(shop.File), perms)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheMatrixIsWrittenFromRulesAndPermissions(t *testing.T) {
	got := shopPolicy(t).Matrix()
	golden := filepath.Join("testdata", "matrix.md")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// service returns a service with one method that has the rule.
func service(t *testing.T, rule *authzv1.MethodRule) []protoreflect.ServiceDescriptor {
	t.Helper()
	file := protodesc.ToFileDescriptorProto(shop.File)
	file.Package, file.Name = new("curfew.one.v1"), new("one.proto")
	for _, m := range file.GetMessageType() {
		for _, f := range m.GetField() {
			if f.TypeName != nil {
				f.TypeName = new(".curfew.one.v1.Thing")
			}
		}
	}
	options := &descriptorpb.MethodOptions{}
	if rule != nil {
		proto.SetExtension(options, authzv1.E_Rule, rule)
	}
	in := new(".curfew.one.v1.Message")
	file.Service = []*descriptorpb.ServiceDescriptorProto{{Name: new("One"), Method: []*descriptorpb.MethodDescriptorProto{
		{Name: new("Do"), InputType: in, OutputType: in, Options: options},
	}}}
	fd, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return authz.FileServices(fd)
}

func TestRulesThatContradictThemselvesAreRefused(t *testing.T) {
	perms, err := authz.ParsePermissions([]byte(`{"roles":{"r":["a.b.c"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	bounded := authzv1.StalenessPolicy_STALENESS_POLICY_BOUNDED
	for name, tc := range map[string]struct {
		rule *authzv1.MethodRule
		text string
	}{
		"no option":                       {nil, "no (curfew.authz.v1.rule) option"},
		"an empty rule":                   {&authzv1.MethodRule{}, "permission"},
		"public with a permission":        {&authzv1.MethodRule{Public: true, Permission: "a.b.c"}, "public"},
		"public and audited":              {&authzv1.MethodRule{Public: true, Audited: true}, "public"},
		"a malformed permission":          {&authzv1.MethodRule{Permission: "everything"}, "permission"},
		"a permission nobody holds":       {&authzv1.MethodRule{Permission: "a.b.d"}, "no role holds permission a.b.d"},
		"a cross permission nobody holds": {&authzv1.MethodRule{Permission: "a.b.c", ResourceField: "name", OwnerOnly: true, CrossOwnerPermission: "a.b.x"}, "a.b.x"},
		"owner without a field":           {&authzv1.MethodRule{Permission: "a.b.c", OwnerOnly: true}, "needs resource_field"},
		"cross without owner":             {&authzv1.MethodRule{Permission: "a.b.c", ResourceField: "name", CrossOwnerPermission: "a.b.c"}, "without owner_only"},
		"an unknown field":                {&authzv1.MethodRule{Permission: "a.b.c", ResourceField: "title"}, "no field"},
		"a field of a text":               {&authzv1.MethodRule{Permission: "a.b.c", ResourceField: "name.x"}, "is no message"},
		"a field that is a message":       {&authzv1.MethodRule{Permission: "a.b.c", ResourceField: "thing"}, "is no string"},
		"an empty part":                   {&authzv1.MethodRule{Permission: "a.b.c", ResourceField: "thing."}, "no field"},
		"bounded without a bound":         {&authzv1.MethodRule{Permission: "a.b.c", Staleness: bounded}, "max_staleness"},
		"a bound without bounded":         {&authzv1.MethodRule{Permission: "a.b.c", MaxStaleness: durationpb.New(time.Second)}, "max_staleness"},
		"a negative bound":                {&authzv1.MethodRule{Permission: "a.b.c", Staleness: bounded, MaxStaleness: durationpb.New(-time.Second)}, "max_staleness"},
		"a policy from the future":        {&authzv1.MethodRule{Permission: "a.b.c", Staleness: 99}, "unknown staleness"},
		"a negative age":                  {&authzv1.MethodRule{Permission: "a.b.c", MaxAuthAge: durationpb.New(-time.Second)}, "negative"},
		"a negative age across owners":    {&authzv1.MethodRule{Permission: "a.b.c", CrossOwnerMaxAuthAge: durationpb.New(-time.Second)}, "negative"},
		"an age across owners, own only":  {&authzv1.MethodRule{Permission: "a.b.c", CrossOwnerMaxAuthAge: durationpb.New(time.Second)}, "without cross_owner_permission"},
		"an unknown acr":                  {&authzv1.MethodRule{Permission: "a.b.c", RequiredAcr: "gold"}, "gold"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := authz.NewPolicy(service(t, tc.rule), perms); err == nil || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("got %v, want an error with %q", err, tc.text)
			}
		})
	}
	if _, err := authz.NewPolicy(service(t, &authzv1.MethodRule{Permission: "a.b.c", RequiredAcr: "gold"}), perms, authz.WithACR("silver", "gold")); err != nil {
		t.Errorf("a configured acr: %v", err)
	}
}

func TestAGrantThatNoRuleAsksForIsRefused(t *testing.T) {
	perms, err := authz.ParsePermissions([]byte(`{"roles":{"r":["a.b.c","a.b.typo"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = authz.NewPolicy(service(t, &authzv1.MethodRule{Permission: "a.b.c"}), perms)
	if err == nil || !strings.Contains(err.Error(), "a.b.typo") {
		t.Errorf("got %v", err)
	}
	if _, err := authz.NewPolicy(nil, perms); err == nil {
		t.Error("no service: taken")
	}
	if _, err := authz.NewPolicy(service(t, nil), nil); err == nil {
		t.Error("no permissions: taken")
	}
}

func TestPermissionFilesThatAreNotExactAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "no object": "[]", "no roles": "{}", "empty roles": `{"roles":{}}`, "unknown member": `{"rolls":{}}`,
		"second member": `{"roles":{"a":[]},"x":1}`, "role twice": `{"roles":{"a":[],"a":[]}}`, "permission twice": `{"roles":{"a":["a.b.c","a.b.c"]}}`,
		"bad permission": `{"roles":{"a":["a.b"]}}`, "wildcard": `{"roles":{"a":["a.*.c"]}}`, "bad role": `{"roles":{"A B":[]}}`,
		"number": `{"roles":{"a":[1]}}`, "text": `{"roles":{"a":"a.b.c"}}`, "trailing": `{"roles":{"a":[]}} {}`, "cut off": `{"roles":{"a":[]}`,
	} {
		if _, err := authz.ParsePermissions([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
