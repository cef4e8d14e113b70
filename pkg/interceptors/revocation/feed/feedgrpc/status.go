package feedgrpc

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/revocation/feed"
)

// Domain is the ErrorInfo.domain of the errors of this package.
const Domain = "revocation.curfew.dev"

// ReasonPending is the ErrorInfo.reason of a revocation that is committed and
// not known to be in force everywhere yet. Its metadata hold "seq" and
// "in_force_by" (RFC 3339).
const ReasonPending = "REVOCATION_PENDING"

// Status returns the gRPC status of an error of Engine.Await. Revoking RPCs
// use it too: after the commit a plain failure would be wrong.
func Status(err error) error {
	pending, ok := errors.AsType[*feed.PendingError](err)
	if !ok {
		return err
	}
	code := codes.DeadlineExceeded
	if errors.Is(pending.Cause, context.Canceled) {
		code = codes.Canceled
	}
	st := status.New(code, "the revocation is committed; wait for it with AwaitRevocation")
	detailed, err := st.WithDetails(&errdetails.ErrorInfo{
		Reason: ReasonPending, Domain: Domain,
		Metadata: map[string]string{
			"seq":         strconv.FormatInt(pending.Seq, 10),
			"in_force_by": pending.InForceBy.UTC().Format(time.RFC3339),
		},
	})
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}
