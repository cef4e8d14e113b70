package interceptors

import (
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// loggingLink writes one line per call. Messages and metadata are never
// logged: they hold tokens and passwords.
func loggingLink(logger *slog.Logger) link {
	return link{
		Link: Link{Name: "logging", Does: "one line per call, except health"},
		after: func(c *call, err error) error {
			if health(c.method) {
				return err
			}
			code := status.Code(err)
			level := levelOf(code)
			if !logger.Enabled(c.ctx, level) {
				return err
			}
			attrs := append(make([]slog.Attr, 0, 8),
				slog.String("method", c.method),
				slog.String("code", code.String()),
				slog.Duration("duration", time.Since(c.started)),
				slog.String("request_id", c.requestID),
			)
			if p := c.principal(); p != "" {
				attrs = append(attrs, slog.String("principal", p))
			}
			if reason := status.Reason(err); reason != "" {
				attrs = append(attrs, slog.String("reason", reason))
			}
			logger.LogAttrs(c.ctx, level, "call finished", attrs...)
			return err
		},
	}
}

func levelOf(code codes.Code) slog.Level {
	switch code {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return slog.LevelError
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}
