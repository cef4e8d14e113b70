package auth_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// methods are all unary ones that the service serves.
func methods() []protoreflect.MethodDescriptor {
	var out []protoreflect.MethodDescriptor
	for _, file := range []protoreflect.FileDescriptor{
		authv1.File_curfew_auth_v1_auth_service_proto, authv1.File_curfew_auth_v1_account_service_proto,
		authv1.File_curfew_auth_v1_user_admin_service_proto, authv1.File_curfew_auth_v1_token_service_proto,
	} {
		for i := range file.Services().Len() {
			for j := range file.Services().Get(i).Methods().Len() {
				out = append(out, file.Services().Get(i).Methods().Get(j))
			}
		}
	}
	return out
}

func public(m protoreflect.MethodDescriptor) bool {
	rule, _ := proto.GetExtension(m.Options(), authzv1.E_Rule).(*authzv1.MethodRule)
	return rule.GetPublic()
}

func TestWithoutATokenOnlyPublicMethodsAnswerOnEitherEdge(t *testing.T) {
	r := newWorld(t).start(t)
	for _, m := range methods() {
		resp := dynamicpb.NewMessage(m.Output())
		err := r.conn.Invoke(t.Context(), "/"+string(m.Parent().FullName())+"/"+string(m.Name()), dynamicpb.NewMessage(m.Input()), resp)
		if got := status.Reason(err) == "TOKEN_MISSING"; got == public(m) {
			t.Errorf("gRPC %s: %v", m.FullName(), err)
		}
		if code := r.bare(t, m); (code == http.StatusUnauthorized) == public(m) {
			t.Errorf("HTTP %s: %d", m.FullName(), code)
		}
	}
}

var variable = regexp.MustCompile(`\{\w+=([^}]*)\}`)

// bare calls the HTTP binding of a method with an empty body and no token.
func (r *replica) bare(t *testing.T, m protoreflect.MethodDescriptor) int {
	t.Helper()
	rule, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
	method, path := http.MethodPost, rule.GetPost()
	if path == "" {
		method, path = http.MethodGet, rule.GetGet()
	}
	if path == "" {
		t.Fatalf("%s has no HTTP binding", m.FullName())
	}
	path = variable.ReplaceAllStringFunc(path, func(v string) string {
		return strings.ReplaceAll(variable.FindStringSubmatch(v)[1], "*", "01890000-0000-7000-8000-000000000001")
	})
	req, err := http.NewRequestWithContext(t.Context(), method, r.http+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
