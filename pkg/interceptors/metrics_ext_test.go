package interceptors_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
)

// meter remembers figures, and how many calls run.
type meter struct {
	mu      sync.Mutex
	running map[string]int
	ended   []interceptors.CallStats
}

func (m *meter) Began(_ context.Context, method string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running == nil {
		m.running = map[string]int{}
	}
	m.running[method]++
}

func (m *meter) Ended(ctx context.Context, f interceptors.CallStats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running[f.Method]--
	if f.Duration <= 0 || ctx.Err() != nil {
		f.Reason += " (no duration, or an ended context)"
	}
	f.Duration = 0
	m.ended = append(m.ended, f)
}

func TestEveryCallIsCountedAsTheClientSeesIt(t *testing.T) {
	m := &meter{}
	h := newHarness(t, &shop.Server{Unary: func(_ context.Context, method string, _ *dynamicpb.Message) error {
		switch method {
		case "Peek":
			panic("at the disco")
		case "BatchGet":
			return errors.New("disk full")
		}
		return nil
	}}, func(c *interceptors.Config) { c.Metrics, c.Rates.Identity = m, few(6) })
	mine := with(t, h.issuer.User(t, "u1", []string{"customer", "service"}))
	_ = h.get(mine)
	_ = h.watch(mine)
	_ = shop.Call(mine, h.conn, "BatchGet", shop.Message{Names: []string{"users/u1/things/1"}})
	_ = shop.Call(mine, h.conn, "Peek", shop.Message{})
	_ = h.get(with(t, ""))
	_ = shop.Call(mine, h.conn, "Get", shop.Message{Name: "users/u2"})
	_ = shop.Call(mine, h.conn, "Update", shop.Message{ThingName: "users/u1"})
	_ = h.get(mine)
	method := func(name string) string { return "/" + shop.ServiceName + "/" + name }
	want := []interceptors.CallStats{
		{Method: method("Get")},
		{Method: method("Watch"), Streamed: true},
		{Method: method("BatchGet"), Code: codes.Internal},
		{Method: method("Peek"), Code: codes.Internal},
		{Method: method("Get"), Code: codes.Unauthenticated, Reason: "TOKEN_MISSING"},
		{Method: method("Get"), Code: codes.PermissionDenied, Reason: "PERMISSION_DENIED"},
		{Method: method("Update"), Code: codes.InvalidArgument, Reason: "REQUEST_ID_REQUIRED"},
		{Method: method("Get"), Code: codes.ResourceExhausted, Reason: "RATE_LIMITED"},
	}
	deadline := time.After(10 * time.Second)
	for {
		m.mu.Lock()
		got, running := append([]interceptors.CallStats(nil), m.ended...), m.running[method("Get")]
		m.mu.Unlock()
		if len(got) == len(want) {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if running != 0 {
				t.Errorf("%d calls run", running)
			}
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%d calls counted: %v", len(got), got)
		case <-time.After(time.Millisecond):
		}
	}
}
