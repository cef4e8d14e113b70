package interceptors

import (
	"context"
	"strconv"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors/internal/contextkey"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// RequestIDKey is the metadata key of the correlation id, which joins the log
// lines of one call across services. It is not the request_id field of
// commands, which makes a command idempotent.
const RequestIDKey = "x-request-id"

const maxRequestIDBytes = 64

// RequestID returns the correlation id of the call that ctx belongs to, or ""
// if there is none. It is for handlers: a Verifier and Meter.Began run before
// the context of the handler exists, and get "".
func RequestID(ctx context.Context) string {
	if id, ok := ctx.Value(contextkey.RequestID{}).(*string); ok {
		return *id
	}
	return ""
}

func requestIDLink() link {
	return link{
		Link: Link{Name: "request-id", Does: RequestIDKey + " is taken if harmless, else made, and returned"},
		before: func(ctx context.Context, c *call) (context.Context, error) {
			c.metadata, _ = metadata.FromIncomingContext(ctx)
			if values := c.metadata[RequestIDKey]; len(values) == 1 && harmless(values[0]) {
				c.requestID = values[0]
			} else {
				c.requestID = newRequestID()
			}
			if c.streamed {
				// It fails only if the header was sent already, which cannot be yet.
				_ = grpc.SetHeader(ctx, metadata.MD{RequestIDKey: {c.requestID}})
			}
			return ctx, nil
		},
		after: func(c *call, err error) error {
			switch {
			case c.streamed:
			case err == nil:
				_ = grpc.SetHeader(c.transport, metadata.MD{RequestIDKey: {c.requestID}})
			default:
				// A refusal with a header is no Trailers-Only response, and no retry policy repeats it (gRFC A6).
				_ = grpc.SetTrailer(c.transport, metadata.MD{RequestIDKey: {c.requestID}})
				pushBack(c.transport, err)
			}
			return err
		},
	}
}

// pushbackKey of the trailer says in milliseconds what RetryInfo says, to the
// retry policies of clients, which do not read details (gRFC A6).
const pushbackKey = "grpc-retry-pushback-ms"

func pushBack(transport context.Context, err error) {
	if info := status.Detail[*errdetails.RetryInfo](err); info != nil {
		delay := strconv.FormatInt(info.GetRetryDelay().AsDuration().Milliseconds(), 10)
		_ = grpc.SetTrailer(transport, metadata.MD{pushbackKey: {delay}})
	}
}

func newRequestID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return "unavailable"
	}
	return id.String()
}

// harmless tells whether a foreign id may stand in logs and headers.
func harmless(id string) bool {
	if id == "" || len(id) > maxRequestIDBytes {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
