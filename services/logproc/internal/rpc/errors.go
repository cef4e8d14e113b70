// Package rpc translates between the contracts and the pipeline, nothing else.
// It is the only place with gRPC codes.
package rpc

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/lifecycle/grpcserver"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
	logprocv1 "github.com/curfew-platform/curfew/proto/gen/curfew/logproc/v1"
	"github.com/curfew-platform/curfew/services/logproc/internal/query"
)

const (
	domain      = "logproc.curfew.dev"
	authzDomain = "authz.curfew.dev"
	tailRetry   = 5 * time.Second
	storeRetry  = time.Second
)

// asStatus is the one place where an error gets a code; one that is not known
// here becomes Internal in the chain.
func asStatus(err error) error {
	switch {
	// Before the end of a call: to connect has a limit of its own.
	case errors.Is(err, query.ErrUnavailable) && !errors.Is(err, context.Canceled):
		return status.WithCause(status.New(codes.Unavailable, domain, logprocv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE,
			"the database cannot be asked; try again", status.Retry(storeRetry)), err)
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, grpcserver.ErrStopping):
		return status.Plain(codes.Unavailable, "the service is stopping, follow another replica")
	case errors.Is(err, query.ErrTextRange):
		return status.New(codes.InvalidArgument, domain, logprocv1.ErrorReason_ERROR_REASON_TEXT_RANGE_TOO_WIDE,
			"a text search needs a time range of at most 24 hours", status.Field("start_time", "more than 24 hours before end_time"))
	case errors.Is(err, query.ErrRange):
		return status.New(codes.InvalidArgument, domain, logprocv1.ErrorReason_ERROR_REASON_TIME_RANGE_INVALID,
			"the time range is empty or reversed", status.Field("start_time", "is not before end_time"))
	case errors.Is(err, query.ErrTooManyTails):
		return status.New(codes.ResourceExhausted, domain, logprocv1.ErrorReason_ERROR_REASON_TOO_MANY_TAILS,
			"too many tails on this replica", status.Retry(tailRetry))
	case errors.Is(err, query.ErrTooSlow):
		return status.New(codes.DeadlineExceeded, domain, logprocv1.ErrorReason_ERROR_REASON_QUERY_TOO_SLOW,
			"the query takes too long, narrow it")
	case errors.Is(err, pagetoken.ErrInvalid):
		return status.New(codes.InvalidArgument, authzDomain, authzv1.ErrorReason_ERROR_REASON_PAGE_TOKEN_INVALID,
			"the page token is not of this list", status.Field("page_token", "was changed, or is of another list"))
	}
	return err
}
