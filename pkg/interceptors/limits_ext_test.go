package interceptors_test

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/memory"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/none"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

const reasonForTest = authzv1.ErrorReason_ERROR_REASON_REQUEST_INVALID

var discard = slog.New(slog.DiscardHandler)

func TestTooMuchMetadataIsRefusedWithAReason(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	for _, size := range []int{9 << 10, 1 << 20} {
		ctx := metadata.AppendToOutgoingContext(with(t, ""), "x-large", strings.Repeat("s3cr3t", size/6+1))
		want(t, shop.Call(ctx, h.conn, "Login", shop.Message{}), codes.ResourceExhausted, "LIMIT_EXCEEDED")
	}
	ctx := metadata.AppendToOutgoingContext(with(t, ""), "x-large", strings.Repeat("a", 7<<10))
	if err := shop.Call(ctx, h.conn, "Login", shop.Message{}); err != nil {
		t.Errorf("7 KiB: %v", err)
	}
}

func TestAMessageAboveTheLimitIsRefused(t *testing.T) {
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) { c.Limits.MessageBytes = 1000 })
	for _, size := range []int{990, 1001, 1990} {
		err := shop.Call(with(t, ""), h.conn, "Login", shop.Message{Name: strings.Repeat("a", size)})
		if size < 1000 {
			if err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
			continue
		}
		want(t, err, codes.ResourceExhausted, "LIMIT_EXCEEDED")
	}
	// Far too much is the transport's to refuse.
	const far = 1 << 20
	err := shop.Call(with(t, ""), h.conn, "Login", shop.Message{Name: strings.Repeat("a", far)})
	want(t, err, codes.ResourceExhausted, "")
	for _, method := range []string{"Watch", "Chat"} {
		for size, reason := range map[int]string{1500: "LIMIT_EXCEEDED", far: ""} {
			stream, err := shop.Open(with(t, h.issuer.User(t, "u1", []string{"customer"})), h.conn, method)
			if err != nil {
				t.Fatal(err)
			}
			_ = stream.SendMsg(shop.Message{Name: strings.Repeat("a", size)}.Proto())
			_ = stream.CloseSend()
			want(t, stream.RecvMsg(shop.Message{}.Proto()), codes.ResourceExhausted, reason)
		}
	}
}

func TestAUnaryCallHasADeadlineWhateverTheClientSets(t *testing.T) {
	var left time.Duration
	var streamHasDeadline bool
	h := newHarness(t, &shop.Server{
		Unary: func(ctx context.Context, _ string, _ *dynamicpb.Message) error {
			deadline, ok := ctx.Deadline()
			if left = time.Until(deadline); !ok {
				left = 0
			}
			return nil
		},
		Stream: func(_ string, s grpc.ServerStream) error {
			_, streamHasDeadline = s.Context().Deadline()
			return nil
		},
	}, func(c *interceptors.Config) {
		c.Limits.DefaultDeadline, c.Limits.MaxDeadline = time.Minute, 2*time.Minute
	})
	for name, tc := range map[string]struct {
		client, atMost, atLeast time.Duration
	}{
		"none":  {0, time.Minute, time.Second},
		"short": {30 * time.Second, 30 * time.Second, time.Second},
		"long":  {time.Hour, 2 * time.Minute, time.Minute},
	} {
		ctx := t.Context()
		if tc.client > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, tc.client)
			defer cancel()
		}
		if err := shop.Call(ctx, h.conn, "Login", shop.Message{}); err != nil {
			t.Fatal(err)
		}
		if left > tc.atMost || left < tc.atLeast {
			t.Errorf("%s: %s left", name, left)
		}
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+h.issuer.User(t, "u1", []string{"customer"}))
	stream, err := shop.Open(ctx, h.conn, "Watch")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(shop.Message{}.Proto()); err == nil || streamHasDeadline {
		t.Errorf("streams have no deadline of ours: %v", err)
	}
}

// Whoever knows about revocations: a source that has an index of the running
// calls makes the context of the handler, and one that has none leaves it.
func TestACallWithATokenHasADeadlineWhateverItsSourceIs(t *testing.T) {
	for name, source := range map[string]revocation.Source{"without an index": none.Source{}, "with an index": memory.New()} {
		left := time.Duration(math.MaxInt64)
		h := newHarness(t, &shop.Server{Unary: func(ctx context.Context, _ string, _ *dynamicpb.Message) error {
			if deadline, ok := ctx.Deadline(); ok {
				left = time.Until(deadline)
			}
			return nil
		}}, func(c *interceptors.Config) { c.Revocation, c.Limits.MaxDeadline = source, time.Minute })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+h.issuer.User(t, "u1", []string{"customer"}))
		if err := shop.Call(ctx, h.conn, "Get", own); err != nil {
			t.Fatal(err)
		}
		if left > time.Minute {
			t.Errorf("%s: %s left", name, left)
		}
	}
}

func TestAnEndedDeadlineIsDeadlineExceeded(t *testing.T) {
	h := newHarness(t, &shop.Server{Unary: func(ctx context.Context, _ string, _ *dynamicpb.Message) error {
		<-ctx.Done()
		return ctx.Err()
	}}, func(c *interceptors.Config) { c.Limits.DefaultDeadline = 10 * time.Millisecond })
	want(t, shop.Call(t.Context(), h.conn, "Login", shop.Message{}), codes.DeadlineExceeded, "")
}

// broken is a client codec that sends what is no message.
type broken struct{ encoding.CodecV2 }

func (broken) Marshal(any) (mem.BufferSlice, error) {
	// Field 1 with a string that is not UTF-8.
	return mem.BufferSlice{mem.SliceBuffer{0x0a, 0x02, 0xff, 0xfe}}, nil
}

func TestARequestThatCannotBeDecodedIsRefusedWithAReasonAfterAuthentication(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	codec := grpc.ForceCodecV2(broken{encoding.GetCodecV2("proto")})
	want(t, shop.Call(with(t, ""), h.conn, "Get", shop.Message{}, codec), codes.Unauthenticated, "TOKEN_MISSING")
	ctx := with(t, h.issuer.User(t, "u1", []string{"customer"}))
	want(t, shop.Call(ctx, h.conn, "Get", shop.Message{}, codec), codes.InvalidArgument, "REQUEST_INVALID")
	want(t, shop.Call(with(t, ""), h.conn, "Login", shop.Message{}, codec), codes.InvalidArgument, "REQUEST_INVALID")
}

func TestARequestAgainstItsConstraintsIsRefusedWithTheField(t *testing.T) {
	h := newHarness(t, &shop.Server{})
	err := shop.Call(with(t, ""), h.conn, "Login", shop.Message{Note: strings.Repeat("x", 21)})
	want(t, err, codes.InvalidArgument, "REQUEST_INVALID")
	if fields := violations(err); len(fields) != 1 || fields[0] != "note" {
		t.Errorf("got %v", fields)
	}
}
