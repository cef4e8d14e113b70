package interceptors

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

var (
	errCanceled      = status.Plain(codes.Canceled, "the call was cancelled")
	errDeadline      = status.Plain(codes.DeadlineExceeded, "the deadline of the call is over")
	errUnimplemented = status.Plain(codes.Unimplemented, "the method is not implemented")
)

// errorsLink is the one place where errors become statuses. Only errors of
// package status pass. A status that a client call returned, wrapped or bare,
// does not: nobody decided that it may be shown. The cause of an UNAVAILABLE of
// ours is logged too, as a warning.
func errorsLink(logger *slog.Logger) link {
	return link{
		Link: Link{Name: "errors", Does: "an error that is no status of ours becomes INTERNAL, logged once with its cause"},
		after: func(c *call, err error) error {
			if err == nil {
				return nil
			}
			level, shown := edge(c, err)
			if level != quiet {
				attrs := []slog.Attr{
					slog.String("method", c.method), slog.String("request_id", c.requestID),
					slog.String("principal", c.principal()), slog.String("error", err.Error()),
				}
				if p, ok := errors.AsType[*panicError](err); ok {
					attrs = append(attrs, slog.String("stack", string(p.stack)))
				}
				if cause := errors.Unwrap(shown); cause != nil {
					attrs = append(attrs, slog.String("cause", cause.Error()))
				}
				logger.LogAttrs(c.ctx, level, "call failed", attrs...)
			}
			return shown
		},
	}
}

// quiet is the level of what was to be expected: it is not logged here.
const quiet = slog.LevelDebug

// edge returns the level at which the cause is logged, and what the client
// sees.
func edge(c *call, err error) (level slog.Level, shown error) {
	if ours, ok := errors.AsType[*status.Error](err); ok {
		// Only our status travels, not what was wrapped around it.
		switch ours.GRPCStatus().Code() {
		case codes.Internal, codes.Unknown, codes.DataLoss:
			return slog.LevelError, ours
		case codes.Unavailable:
			// What this server depends on is down: nothing else tells operators what.
			if ours.Unwrap() != nil {
				return slog.LevelWarn, ours
			}
		}
		return quiet, ours
	}
	if _, ok := errors.AsType[*panicError](err); ok {
		return slog.LevelError, errInternal
	}
	// A context error explains itself if it is the call that ended; the time-out
	// of a query inside is an internal error.
	switch ended := c.ended; {
	case errors.Is(ended, context.DeadlineExceeded):
		return quiet, errDeadline
	case ended != nil && (errors.Is(err, context.Canceled) || grpcstatus.Code(err) == codes.Canceled):
		return quiet, errCanceled
	}
	// What generated code returns for a method that nobody implements. A wrapped
	// one is of a downstream call.
	if st, ok := err.(interface{ GRPCStatus() *grpcstatus.Status }); ok && st.GRPCStatus().Code() == codes.Unimplemented {
		return quiet, errUnimplemented
	}
	if c.infrastructure {
		// Health and reflection make their own statuses, with texts of their own.
		if st, ok := grpcstatus.FromError(err); ok {
			return quiet, status.Plain(st.Code(), st.Message())
		}
	}
	return slog.LevelError, errInternal
}
