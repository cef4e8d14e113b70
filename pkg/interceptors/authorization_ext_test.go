package interceptors_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token/tokentest"
)

func TestOnlyTheOwnerMayNameTheResource(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	customer := h.issuer.User(t, "u1", []string{"customer"})
	admin := h.issuer.User(t, "a1", []string{"admin"})
	named := func(name string) shop.Message { return shop.Message{Name: name} }
	for name, tc := range map[string]struct {
		raw, method string
		message     shop.Message
		code        codes.Code
		reason      string
	}{
		"own":                               {customer, "Get", named("users/u1/things/1"), codes.OK, ""},
		"own, bare user":                    {customer, "Get", named("users/u1"), codes.OK, ""},
		"foreign":                           {customer, "Get", named("users/u2/things/1"), codes.PermissionDenied, "PERMISSION_DENIED"},
		"foreign with own as a prefix":      {customer, "Get", named("users/u11/things/1"), codes.PermissionDenied, "PERMISSION_DENIED"},
		"foreign in other case":             {customer, "Get", named("users/U1/things/1"), codes.PermissionDenied, "PERMISSION_DENIED"},
		"all users":                         {customer, "Get", named("users/-/things/1"), codes.PermissionDenied, "PERMISSION_DENIED"},
		"all users as admin":                {admin, "Get", named("users/-/things/1"), codes.OK, ""},
		"foreign as admin":                  {admin, "Get", named("users/u1/things/1"), codes.OK, ""},
		"no name":                           {customer, "Get", named(""), codes.InvalidArgument, "REQUEST_INVALID"},
		"no user":                           {customer, "Get", named("users//things"), codes.InvalidArgument, "REQUEST_INVALID"},
		"another collection":                {customer, "Get", named("products/u1"), codes.InvalidArgument, "REQUEST_INVALID"},
		"own behind another":                {customer, "Get", named("x/users/u1"), codes.InvalidArgument, "REQUEST_INVALID"},
		"a role without the permission":     {h.issuer.Service(t, "orders"), "Get", named("users/u1"), codes.PermissionDenied, "PERMISSION_DENIED"},
		"no role":                           {h.issuer.User(t, "u1", nil), "Get", named("users/u1"), codes.PermissionDenied, "PERMISSION_DENIED"},
		"all own":                           {customer, "BatchGet", shop.Message{Names: []string{"users/u1/a", "users/u1/b"}}, codes.OK, ""},
		"one foreign among own":             {customer, "BatchGet", shop.Message{Names: []string{"users/u1/a", "users/u2/b"}}, codes.PermissionDenied, "PERMISSION_DENIED"},
		"no names":                          {customer, "BatchGet", shop.Message{}, codes.InvalidArgument, "REQUEST_INVALID"},
		"a service with a user's last name": {h.issuer.User(t, "services/u1", []string{"customer"}), "Get", named("users/services/u1"), codes.PermissionDenied, "PERMISSION_DENIED"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, shop.Call(with(t, tc.raw), h.conn, tc.method, tc.message), tc.code, tc.reason)
		})
	}
}

func TestANestedNameDecidesAndNotTheOuterOne(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	raw, id := h.issuer.User(t, "u1", []string{"customer"}), uuid.NewString()
	if err := shop.Call(with(t, raw), h.conn, "Update", shop.Message{ThingName: "users/u1/things/1", RequestID: id}); err != nil {
		t.Error(err)
	}
	err := shop.Call(with(t, raw), h.conn, "Update", shop.Message{Name: "users/u1", ThingName: "users/u2/things/1", RequestID: id})
	want(t, err, codes.PermissionDenied, "PERMISSION_DENIED")
	err = shop.Call(with(t, raw), h.conn, "Update", shop.Message{Name: "users/u1", RequestID: id})
	want(t, err, codes.InvalidArgument, "REQUEST_INVALID")
}

func TestACommandNeedsARequestIDThatIsAUUID(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	raw := h.issuer.User(t, "u1", []string{"customer"})
	for _, id := range []string{"", "1", "00000000-0000-0000-0000-000000000000", "{7d444840-9dc0-11d1-b245-5ffdce74fad2}", "urn:uuid:7d444840-9dc0-11d1-b245-5ffdce74fad2", "7d4448409dc011d1b2455ffdce74fad2"} {
		err := shop.Call(with(t, raw), h.conn, "Update", shop.Message{ThingName: "users/u1", RequestID: id})
		want(t, err, codes.InvalidArgument, "REQUEST_ID_REQUIRED")
	}
}

func TestASensitiveCallAsksForAStepUpAndSaysWhich(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	now := time.Now()
	old := now.Add(-6 * time.Minute).Unix()
	for name, tc := range map[string]struct {
		claims tokentest.Claims
		code   codes.Code
	}{
		"fresh and strong": {tokentest.Claims{"acr": "aal2"}, codes.OK},
		"stronger":         {tokentest.Claims{"acr": "aal3"}, codes.OK},
		"weak":             {tokentest.Claims{"acr": "aal1"}, codes.PermissionDenied},
		"unknown class":    {tokentest.Claims{"acr": "gold"}, codes.PermissionDenied},
		"long ago":         {tokentest.Claims{"acr": "aal2", "auth_time": old}, codes.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			err := shop.Call(with(t, h.issuer.User(t, "u1", []string{"customer"}, tc.claims)), h.conn, "Close", own)
			if tc.code == codes.OK {
				want(t, err, codes.OK, "")
				return
			}
			want(t, err, codes.PermissionDenied, "STEP_UP_REQUIRED")
			if md := status.Info(err).GetMetadata(); md["acr"] != "aal2" || md["max_auth_age"] != "5m0s" {
				t.Errorf("metadata %v", md)
			}
		})
	}
}

func TestWhoActsForOthersAuthenticatedLatelyAndIsToldHowLately(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	old := tokentest.Claims{"auth_time": time.Now().Add(-16 * time.Minute).Unix()}
	raw := h.issuer.User(t, "a1", []string{"admin"}, old)
	update := func(owner string) error {
		return shop.Call(with(t, raw), h.conn, "Update", shop.Message{ThingName: "users/" + owner, RequestID: uuid.NewString()})
	}
	want(t, update("a1"), codes.OK, "")
	err := update("u1")
	want(t, err, codes.PermissionDenied, "STEP_UP_REQUIRED")
	if md := status.Info(err).GetMetadata(); md["max_auth_age"] != "15m0s" {
		t.Errorf("metadata %v", md)
	}
}

func TestTheRuleIsEvaluatedForEveryMessageThatNamesAResource(t *testing.T) {
	h := newHarness(t, &shop.Server{Stream: func(_ string, s grpc.ServerStream) error {
		for {
			if err := s.RecvMsg(shop.Message{}.Proto()); err != nil {
				return nil //nolint:nilerr // a handler that swallows the refusal
			}
			if err := s.SendMsg(shop.Message{}.Proto()); err != nil {
				return err
			}
		}
	}})
	raw := h.issuer.User(t, "u1", []string{"customer"})
	for name, tc := range map[string]struct {
		messages []shop.Message
		passed   int
		code     codes.Code
	}{
		"own, then without a name, then own": {[]shop.Message{{ThingName: "users/u1/a"}, {Note: "hi"}, {ThingName: "users/u1/b"}}, 3, codes.OK},
		"own, then foreign":                  {[]shop.Message{{ThingName: "users/u1/a"}, {ThingName: "users/u2/b"}}, 1, codes.PermissionDenied},
		"first without a name":               {[]shop.Message{{Note: "hi"}}, 0, codes.InvalidArgument},
		"foreign at once":                    {[]shop.Message{{ThingName: "users/u2/a"}}, 0, codes.PermissionDenied},
		"own, then against its constraints":  {[]shop.Message{{ThingName: "users/u1/a"}, {Note: "much longer than 20 characters"}}, 1, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := shop.Open(with(t, raw), h.conn, "Chat")
			if err != nil {
				t.Fatal(err)
			}
			passed := 0
			var end error
			for _, m := range tc.messages {
				_ = stream.SendMsg(m.Proto())
				if end = stream.RecvMsg(shop.Message{}.Proto()); end != nil {
					break
				}
				passed++
			}
			if passed != tc.passed || grpcCode(end) != tc.code {
				t.Errorf("%d messages passed, then %v; want %d, then %v", passed, end, tc.passed, tc.code)
			}
		})
	}
}

func TestAuditedCallsAreRecordedAllowedAndDenied(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	raw := h.issuer.User(t, "u1", []string{"customer"})
	_ = shop.Call(with(t, raw), h.conn, "Update", shop.Message{ThingName: "users/u1/things/1", RequestID: uuid.NewString()})
	_ = shop.Call(with(t, raw), h.conn, "Update", shop.Message{ThingName: "users/u2/things/1", RequestID: uuid.NewString()})
	_ = shop.Call(with(t, ""), h.conn, "Update", shop.Message{})
	_ = shop.Call(with(t, raw), h.conn, "Get", own)
	events := h.audit.all()
	if len(events) != 3 {
		t.Fatalf("%d events, want 3: %+v", len(events), events)
	}
	allowed, denied, anonymous := events[0], events[1], events[2]
	if allowed.Code != "OK" || allowed.Principal != "users/u1" || allowed.Resource != "users/u1/things/1" || allowed.SessionID == "" || allowed.RequestID == "" {
		t.Errorf("allowed: %+v", allowed)
	}
	if denied.Code != "PermissionDenied" || denied.Reason != "PERMISSION_DENIED" || denied.Resource != "users/u2/things/1" {
		t.Errorf("denied: %+v", denied)
	}
	if anonymous.Reason != "TOKEN_MISSING" || anonymous.Principal != "" {
		t.Errorf("anonymous: %+v", anonymous)
	}
}
