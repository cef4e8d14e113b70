package interceptors

import (
	"context"
	"log/slog"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// AuditEvent is the record of one call of an audited method, allowed or denied.
type AuditEvent struct {
	// Time is when the call began.
	Time time.Time
	// Duration of the call.
	Duration time.Duration
	// Method is the full method name, "/package.Service/Method".
	Method string
	// Issuer, Principal, SessionID and TokenID say who called. They are empty
	// if no token was accepted.
	Issuer, Principal, SessionID, TokenID string
	// Resource is the first resource name in the request. It is empty if the
	// rule names no field, or if the call was refused before the request was
	// read.
	Resource string
	// RequestID is the correlation id of the call, as in the log.
	RequestID string
	// Code and Reason are the outcome that the client sees.
	Code, Reason string
}

// Auditor receives audit events. It must be safe for concurrent use. It is
// called before the client gets its answer, so it must not block for long.
type Auditor interface {
	// Audit records one event. ctx has the values of the call and is never
	// cancelled.
	Audit(ctx context.Context, event AuditEvent)
}

// AuditLog returns an Auditor that writes each event to logger as a line
// "audit". Without a logger it is nil, which [New] refuses if a rule needs one.
func AuditLog(logger *slog.Logger) Auditor {
	if logger == nil {
		return nil
	}
	return auditLog{logger}
}

type auditLog struct{ logger *slog.Logger }

func (a auditLog) Audit(ctx context.Context, e AuditEvent) {
	a.logger.LogAttrs(ctx, slog.LevelInfo, "audit",
		slog.Time("began", e.Time),
		slog.Duration("duration", e.Duration),
		slog.String("method", e.Method),
		slog.String("issuer", e.Issuer),
		slog.String("principal", e.Principal),
		slog.String("session_id", e.SessionID),
		slog.String("token_id", e.TokenID),
		slog.String("resource", e.Resource),
		slog.String("request_id", e.RequestID),
		slog.String("code", e.Code),
		slog.String("reason", e.Reason),
	)
}

func auditLink(auditor Auditor) link {
	return link{
		Link: Link{Name: "audit", Does: "one event per call of an audited method, allowed or denied"},
		after: func(c *call, err error) error {
			if c.rule == nil || !c.rule.Audited {
				return err
			}
			event := AuditEvent{
				Time: c.started, Duration: time.Since(c.started),
				Method: c.method, Resource: c.resource, RequestID: c.requestID,
				Code: status.Code(err).String(), Reason: status.Reason(err),
			}
			if id := c.identity; id != nil {
				event.Issuer, event.Principal = id.Issuer, id.Principal()
				event.SessionID, event.TokenID = id.SessionID, id.TokenID
			}
			// The call may have been cancelled; its record must not be.
			auditor.Audit(context.WithoutCancel(c.ctx), event)
			return err
		},
	}
}
