package interceptors

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// Meter receives the statistics of calls. It must be safe for concurrent use
// and must not block: it is called on the path of every call.
type Meter interface {
	// Began is called when a call of method enters the chain.
	Began(ctx context.Context, method string)
	// Ended is called when the call leaves the chain, once for every Began.
	Ended(ctx context.Context, stats CallStats)
}

// CallStats are the statistics of one call. Every string is one of a bounded
// number: methods that have a rule, and reasons that the server itself gives.
// So all of them may be attributes of a metric. Who called is not among them.
type CallStats struct {
	// Method is the full method name, or [OtherMethod] if it has no rule.
	Method string
	// Streamed is false for unary calls.
	Streamed bool
	// Duration of the call.
	Duration time.Duration
	// Code and Reason are the outcome that the client sees. Reason is empty for
	// a success, and for a failure that has none.
	Code   codes.Code
	Reason string
}

// OtherMethod stands for all methods that have no rule. Clients may invent
// their names, so the names are not counted apart.
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
		meter.Ended(context.WithoutCancel(c.ctx), CallStats{
			Method: name(c), Streamed: c.streamed, Duration: time.Since(c.started),
			Code: status.Code(err), Reason: status.Reason(err),
		})
		return err
	}
	return l
}
