package interceptors

import (
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors/authz"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/contextkey"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/inflight"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// call is the state of one call, shared by its links. Links run one after the
// other, so it needs no lock; what a stream's goroutines share is in stream.
//
// It is also the context of the handler, with the identity, the guard and the
// request id as values, and its own entry in the in-flight index: one
// allocation for all of that.
type call struct {
	inflight.Call

	method   string
	streamed bool
	// infrastructure: health, or reflection if admitted. No token, no rule.
	infrastructure bool
	judged         bool // a message of this call was authorized
	entered        int8 // links whose before succeeded
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
	check     *revocationCheck // that admitted the call; nil without a token
	resource  string

	ended error // Err of ctx when the handler returned: links cancel it on the way out

	cancelDeadline context.CancelFunc
	expiry         *time.Timer // of a stream's token
}

var (
	_ context.Context  = (*call)(nil)
	_ revocation.Guard = (*call)(nil)
)

// Value implements context.Context.
func (c *call) Value(key any) any {
	switch key.(type) {
	case contextkey.Identity:
		if c.identity != nil {
			return c.identity
		}
	case contextkey.Guard:
		if c.check != nil {
			return c
		}
	case contextkey.Token:
		if c.raw != "" {
			return c.raw
		}
	case contextkey.RequestID:
		return &c.requestID
	}
	return c.Call.Value(key)
}

// Format keeps metadata and token out of texts that print a context.
func (c *call) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "call "+c.method) }

// CommitGuard implements revocation.Guard.
func (c *call) CommitGuard(ctx context.Context) error { return c.check.admit(ctx, c) }

// public tells whether the call needs no token.
func (c *call) public() bool { return c.infrastructure || (c.rule != nil && c.rule.Public) }

// principal for logs; empty for calls without a verified token.
func (c *call) principal() string {
	if c.identity == nil {
		return ""
	}
	return c.identity.Principal()
}
