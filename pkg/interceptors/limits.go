package interceptors

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// limitsLink bounds metadata, time and messages, and refuses a message that
// could not be decoded.
func limitsLink(l Limits) link {
	return link{
		Link: Link{Name: "limits", Does: fmt.Sprintf(
			"metadata %d B, message %d B, unary deadline %s if none and at most %s, %d streams per connection",
			l.MetadataBytes, l.MessageBytes, l.DefaultDeadline, l.MaxDeadline, l.ConcurrentStreams)},
		before: func(ctx context.Context, c *call) (context.Context, error) {
			if tooMuch(c.metadata, l.MetadataBytes) {
				return nil, errMetadata
			}
			if c.streamed {
				return ctx, nil
			}
			life := l.DefaultDeadline
			if deadline, ok := ctx.Deadline(); ok {
				if time.Until(deadline) <= l.MaxDeadline {
					return ctx, nil
				}
				life = l.MaxDeadline
			}
			ctx, c.cancelDeadline = context.WithTimeout(ctx, life)
			return ctx, nil
		},
		message: func(_ context.Context, _ *call, m proto.Message) error {
			return marked(m)
		},
		after: func(c *call, err error) error {
			if c.cancelDeadline != nil {
				defer c.cancelDeadline()
			}
			return err
		},
	}
}

// tooMuch counts like HTTP/2 does (RFC 9113 6.5.2): 32 bytes per field beside
// name and value.
func tooMuch(md metadata.MD, limit int) bool {
	n := 0
	for name, values := range md {
		for _, v := range values {
			if n += len(name) + len(v) + 32; n > limit {
				return true
			}
		}
	}
	return false
}
