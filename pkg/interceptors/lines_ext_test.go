package interceptors_test

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
)

func TestALineOfTheAuditHoldsAllThatIsKnown(t *testing.T) {
	began := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	log := &logBuffer{}
	interceptors.AuditLog(slog.New(slog.NewJSONHandler(log, nil))).Audit(t.Context(), interceptors.AuditEvent{
		Time: began, Duration: time.Second, Method: "/m", Issuer: "iss", Principal: "users/u1", SessionID: "s1", TokenID: "j1",
		Resource: "users/u1/things/1", RequestID: "r1", Code: "PermissionDenied", Reason: "PERMISSION_DENIED",
	})
	var line map[string]any
	if err := json.Unmarshal([]byte(log.String()), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"msg": "audit", "level": "INFO", "began": began.Format(time.RFC3339), "duration": float64(time.Second), "method": "/m", "issuer": "iss",
		"principal": "users/u1", "session_id": "s1", "token_id": "j1", "resource": "users/u1/things/1", "request_id": "r1",
		"code": "PermissionDenied", "reason": "PERMISSION_DENIED",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
}

func TestTheLineOfACallSaysWhoAndWhy(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	raw := h.issuer.User(t, "u1", []string{"customer"})
	ctx := metadata.AppendToOutgoingContext(with(t, raw), interceptors.RequestIDKey, "r1")
	_ = shop.Call(ctx, h.conn, "Get", shop.Message{Name: "users/u2/things/1"})
	for _, text := range []string{
		`"msg":"call finished"`, `"level":"INFO"`, `"method":"/curfew.shop.v1.ShopService/Get"`, `"code":"PermissionDenied"`,
		`"principal":"users/u1"`, `"reason":"PERMISSION_DENIED"`, `"request_id":"r1"`,
	} {
		if h.log.count(text) == 0 {
			t.Errorf("no %s in %s", text, h.log)
		}
	}
}
