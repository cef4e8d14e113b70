// Package authztest walks the authorization matrix of a running server: every
// method x every role x own and foreign resources, against what the rules say.
package authztest

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/google/uuid"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// Mint returns an access token of subject with the one role. It should be
// authenticated just now at the strongest acr, so that step-up never refuses.
type Mint func(t testing.TB, subject, role string) string

// streamLimit bounds how long a stream that was admitted is watched.
const streamLimit = 200 * time.Millisecond

// Walk calls every method of services that policy knows, once without a token
// and once for each role on an own, a foreign and all users' resources, and
// fails if one is admitted that the rule denies, or the other way round. The
// requests hold only what authorization reads, so most are refused by
// validation after they were admitted; give it a server whose data may be
// changed.
func Walk(t *testing.T, conn grpc.ClientConnInterface, services []protoreflect.ServiceDescriptor, policy *authz.Policy, mint Mint) {
	t.Helper()
	subject, other := uuid.NewString(), uuid.NewString()
	for _, service := range services {
		for i := range service.Methods().Len() {
			m := service.Methods().Get(i)
			rule, ok := policy.Rule("/" + string(service.FullName()) + "/" + string(m.Name()))
			if !ok {
				t.Errorf("%s has no rule", m.FullName())
				continue
			}
			w := walker{conn: conn, method: m, rule: rule}
			t.Run(string(m.FullName())+"/no token", func(t *testing.T) {
				w.expect(t.Context(), t, subject, rule.Public)
			})
			for _, role := range policy.Permissions().Roles() {
				ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+mint(t, subject, role))
				access := rule.Access(role)
				t.Run(string(m.FullName())+"/"+role+"/own", func(t *testing.T) {
					w.expect(ctx, t, subject, access != authz.Denied)
				})
				for name, owner := range map[string]string{"foreign": other, "all users": "-"} {
					t.Run(string(m.FullName())+"/"+role+"/"+name, func(t *testing.T) {
						w.expect(ctx, t, owner, access == authz.Any || (access == authz.Own && !rule.OwnerOnly))
					})
				}
			}
		}
	}
}

// Call calls method m, whose rule is rule, on a resource of owner with a request
// that holds only what authorization reads. Of a stream it sends one message and
// waits for one, for a moment.
func Call(ctx context.Context, conn grpc.ClientConnInterface, m protoreflect.MethodDescriptor, rule *authz.Rule, owner string) error {
	w := walker{conn: conn, method: m, rule: rule}
	return w.call(ctx, w.request(owner))
}

type walker struct {
	conn   grpc.ClientConnInterface
	method protoreflect.MethodDescriptor
	rule   *authz.Rule
}

func (w walker) expect(ctx context.Context, t *testing.T, owner string, admitted bool) {
	t.Helper()
	err := w.call(ctx, w.request(owner))
	code, reason := status.Code(err), status.Reason(err)
	refused := code == codes.Unauthenticated && reason == "TOKEN_MISSING" || code == codes.PermissionDenied && reason == "PERMISSION_DENIED"
	if refused == admitted {
		t.Errorf("%s on users/%s: got %v (reason %q), want admitted = %t", w.rule.Method, owner, err, reason, admitted)
	}
}

// request holds a resource of owner and a request id, where the rule asks.
func (w walker) request(owner string) *dynamicpb.Message {
	request := dynamicpb.NewMessage(w.method.Input())
	w.rule.SetResource(request, "users/"+owner)
	if w.rule.RequestIDRequired {
		request.Set(w.method.Input().Fields().ByName("request_id"), protoreflect.ValueOfString(uuid.NewString()))
	}
	return request
}

func (w walker) call(ctx context.Context, request *dynamicpb.Message) error {
	reply := dynamicpb.NewMessage(w.method.Output())
	if !w.method.IsStreamingClient() && !w.method.IsStreamingServer() {
		return w.conn.Invoke(ctx, w.rule.Method, request, reply)
	}
	ctx, cancel := context.WithTimeout(ctx, streamLimit)
	defer cancel()
	stream, err := w.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, w.rule.Method)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	err = stream.RecvMsg(reply)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
