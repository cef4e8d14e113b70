package interceptors

import (
	"context"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// call is the state of one call, shared by its links. Links run one after the
// other, so it needs no lock; what a stream's goroutines share is in stream.
type call struct {
	method   string
	streamed bool
	// infrastructure: health, or reflection if admitted. No token, no rule.
	infrastructure bool
	// rule is nil if the policy has none: the call is denied.
	rule     *authz.Rule
	metadata metadata.MD
	started  time.Time
	ctx      context.Context //nolint:containedctx // of the innermost link, for the way out
	// transport is the context that the transport cancels. A handler that waits
	// on it may return before the cancellation has reached ctx, which derives
	// from it.
	transport context.Context //nolint:containedctx // as long as the call

	requestID string
	raw       token.Raw
	identity  *identity.Identity
	guard     guard
	resource  string
	judged    bool // a message of this call was authorized

	entered int   // links whose before succeeded
	ended   error // Err of ctx when the handler returned: links cancel it on the way out

	cancelDeadline context.CancelFunc
	leaveIndex     func()
	end            context.CancelCauseFunc // of a stream
	expiry         *time.Timer             // of a stream's token
}

// public tells whether the call needs no token.
func (c *call) public() bool { return c.infrastructure || (c.rule != nil && c.rule.Public) }

// principal for logs; empty for calls without a verified token.
func (c *call) principal() string {
	if c.identity == nil {
		return ""
	}
	return c.identity.Principal()
}
