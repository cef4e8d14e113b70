package interceptors

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

const scheme = "bearer "

// authenticationLink verifies the access token and gives the call its identity.
// Public methods do not look at the token at all, so that a client with a dead
// one can still log in.
func authenticationLink(verifier Verifier, logger *slog.Logger) link {
	return link{
		Link: Link{Name: "authentication", Does: "access token as authorization: Bearer, except for public methods"},
		before: func(ctx context.Context, c *call) (context.Context, error) {
			if c.public() {
				return ctx, nil
			}
			raw, err := bearer(c.metadata)
			if err != nil {
				return nil, err
			}
			id, err := verifier.Verify(ctx, string(raw))
			if err != nil {
				// The detail helps operators and never quotes the token.
				logger.LogAttrs(ctx, slog.LevelDebug, "token refused",
					slog.String("method", c.method), slog.String("request_id", c.requestID),
					slog.String("error", err.Error()))
				return nil, tokenRefusal(err)
			}
			c.raw, c.identity = raw, id
			return ctx, nil
		},
	}
}

// bearer returns the one token of the call. Two values are refused: two
// parties that pick different ones would see different callers.
func bearer(md metadata.MD) (token.Raw, error) {
	values := md["authorization"]
	switch {
	case len(values) == 0:
		return "", errTokenMissing
	case len(values) > 1:
		return "", errTokenBad
	}
	v := values[0]
	if len(v) <= len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return "", errTokenBad
	}
	return token.Raw(v[len(scheme):]), nil
}

func tokenRefusal(err error) error {
	switch {
	case errors.Is(err, token.ErrExpired):
		return errTokenExpired
	case errors.Is(err, token.ErrWrongAudience):
		return errTokenAudience
	case errors.Is(err, token.ErrKeysUnavailable):
		// Operators have to know what is down; it says nothing of the token.
		return status.WithCause(errKeys, err)
	default:
		return errTokenBad
	}
}
