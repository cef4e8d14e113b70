package feedgrpc

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// Domain is the ErrorInfo domain of the errors of this package.
const Domain = "revocation.curfew.dev"

// ReasonPending is the ErrorInfo reason of a revocation that is committed but
// not yet known to be in force everywhere. The metadata hold "seq" and
// "in_force_by" (RFC 3339).
const ReasonPending = "REVOCATION_PENDING"

// chainDomain is the ErrorInfo.domain of reasons that every service has.
const chainDomain = "authz.curfew.dev"

func invalid(msg string) error {
	return status.New(codes.InvalidArgument, chainDomain, authzv1.ErrorReason_ERROR_REASON_REQUEST_INVALID, msg)
}

// Status returns the gRPC status for an error of [feed.Engine.Await]. Methods
// that revoke must use it, because after the commit a plain failure would be
// wrong.
func Status(err error) error {
	pending, ok := errors.AsType[*feed.PendingError](err)
	if !ok {
		return err
	}
	code := codes.DeadlineExceeded
	if errors.Is(pending.Cause, context.Canceled) {
		code = codes.Canceled
	}
	st := grpcstatus.New(code, "the revocation is committed; wait for it with AwaitRevocation")
	detailed, err := st.WithDetails(&errdetails.ErrorInfo{
		Reason: ReasonPending, Domain: Domain,
		Metadata: map[string]string{
			"seq":         strconv.FormatInt(pending.Seq, 10),
			"in_force_by": pending.InForceBy.UTC().Format(time.RFC3339),
		},
	})
	if err != nil {
		return status.Shown(st)
	}
	return status.Shown(detailed)
}
