package interceptors

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// Meter takes the figures of calls. It is called on the path of the call, by
// many calls at once, and must not block.
type Meter interface {
	// Began is called when a call of method enters the chain.
	Began(ctx context.Context, method string)
	// Ended is called when it leaves the chain, once for every Began.
	Ended(ctx context.Context, c Figures)
}

// Figures are what can be counted about one call. Every text is one of a few:
// methods that have a rule, codes, and reasons of .proto enums, so all of them
// may be attributes of a metric. Who called is not among them.
type Figures struct {
	// Method is the full method name; OtherMethod if it has no rule.
	Method string
	// Streamed is true for all but unary calls.
	Streamed bool
	// Duration of the call.
	Duration time.Duration
	// Code and Reason are the outcome as the client sees it; Reason is empty if
	// there is none.
	Code   codes.Code
	Reason string
}

// OtherMethod stands for methods that nobody registered, whose names a client
// may invent.
const OtherMethod = "other"

func metricsLink(meter Meter) link {
	l := link{Link: Link{Name: "metrics", Does: "off"}}
	if meter == nil {
		return l
	}
	l.Does = "calls, refusals by reason, durations, calls that run"
	name := func(c *call) string {
		if c.rule == nil && !c.infrastructure {
			return OtherMethod
		}
		return c.method
	}
	l.before = func(ctx context.Context, c *call) (context.Context, error) {
		meter.Began(ctx, name(c))
		return ctx, nil
	}
	l.after = func(c *call, err error) error {
		// The call may have been cancelled; its figures count.
		meter.Ended(context.WithoutCancel(c.ctx), Figures{
			Method: name(c), Streamed: c.streamed, Duration: time.Since(c.started),
			Code: status.Code(err), Reason: status.Reason(err),
		})
		return err
	}
	return l
}
