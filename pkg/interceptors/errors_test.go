package interceptors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// Who goes away is no failure of the server, and hides none.
func TestTheEndOfACallExplainsOnlyWhatItCaused(t *testing.T) {
	downstream := grpcstatus.Error(codes.Canceled, "context canceled")
	for name, tc := range map[string]struct {
		ended, err     error
		infrastructure bool
		code           codes.Code
		level          slog.Level
	}{
		"the client has gone":                             {ended: context.Canceled, err: fmt.Errorf("query: %w", context.Canceled), code: codes.Canceled, level: quiet},
		"the client has gone, and a call downstream ends": {ended: context.Canceled, err: downstream, code: codes.Canceled, level: quiet},
		"the client has gone, and the disk is full":       {ended: context.Canceled, err: errors.New("disk"), code: codes.Internal, level: slog.LevelError},
		"nobody has gone, and something was cancelled":    {err: context.Canceled, code: codes.Internal, level: slog.LevelError},
		"nobody has gone, and a call downstream ends":     {err: downstream, code: codes.Internal, level: slog.LevelError},
		"the deadline is over":                            {ended: context.DeadlineExceeded, err: errors.New("cut off"), code: codes.DeadlineExceeded, level: quiet},
		"health knows no such service":                    {err: grpcstatus.Error(codes.NotFound, "unknown service"), infrastructure: true, code: codes.NotFound, level: quiet},
	} {
		level, shown := edge(&call{ended: tc.ended, infrastructure: tc.infrastructure}, tc.err)
		if level != tc.level || status.Code(shown) != tc.code {
			t.Errorf("%s: %v, %v", name, level, shown)
		}
	}
}

func TestWhatTheTransportSaysOfAMessageIsAStatusOfOurs(t *testing.T) {
	says := func(c codes.Code) error { return grpcstatus.Error(c, "transport") }
	for name, tc := range map[string]struct {
		err    error
		code   codes.Code
		reason string
	}{
		"far too large":        {receiveError(says(codes.ResourceExhausted)), codes.ResourceExhausted, "LIMIT_EXCEEDED"},
		"not to be decoded":    {receiveError(says(codes.Internal)), codes.InvalidArgument, "REQUEST_INVALID"},
		"the client has gone":  {receiveError(says(codes.Canceled)), codes.Canceled, ""},
		"the deadline is over": {receiveError(says(codes.DeadlineExceeded)), codes.DeadlineExceeded, ""},
		"a reset connection":   {gone(says(codes.Unavailable)), codes.Canceled, ""},
		"a refusal of ours":    {receiveError(errTokenRevoked), codes.Unauthenticated, "TOKEN_REVOKED"},
		"ours on the way out":  {gone(errTokenRevoked), codes.Unauthenticated, "TOKEN_REVOKED"},
	} {
		if !isOurs(tc.err) || status.Code(tc.err) != tc.code || status.Reason(tc.err) != tc.reason {
			t.Errorf("%s: %v", name, tc.err)
		}
	}
	if err := receiveError(io.EOF); !errors.Is(err, io.EOF) {
		t.Errorf("the end of a stream: %v", err)
	}
	if err := gone(says(codes.Internal)); isOurs(err) {
		t.Errorf("a mistake of the server: %v", err)
	}
}
