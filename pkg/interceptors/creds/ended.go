package creds

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
)

// IssuerDomain is the ErrorInfo domain of the service that issues sessions, of
// which the reasons are curfew.auth.v1.ErrorReason.
const IssuerDomain = "auth.curfew.dev"

// ending are the reasons of [IssuerDomain] that end a session. No other reason
// does, and no status without an ErrorInfo: an ingress or a firewall also answers
// UNAUTHENTICATED and PERMISSION_DENIED, and knows nothing about sessions.
var ending = []string{"REFRESH_UNKNOWN", "REFRESH_EXPIRED", "REFRESH_REUSED", "SESSION_REVOKED"}

// ended tells whether the issuer has decided that the session is over;
// everything else is "not now".
func ended(err error) bool {
	if errors.Is(err, ErrSignedOut) {
		return true
	}
	info := status.Info(err)
	return info.GetDomain() == IssuerDomain && slices.Contains(ending, info.GetReason())
}

// ownDomain is the ErrorInfo domain of what this package answers calls with.
const ownDomain = "creds.curfew.dev"

const reasonSignedOut = "SIGNED_OUT"

// SignedOut reports whether err, of a call or of a [TokenSource], says that the
// issuer has ended the session. That is the one reason to ask the user to log
// in again; a bare UNAUTHENTICATED, which any proxy may answer, is not.
func SignedOut(err error) bool {
	if errors.Is(err, ErrSignedOut) {
		return true
	}
	info := status.Info(err)
	return info.GetDomain() == ownDomain && info.GetReason() == reasonSignedOut
}

// signedOut is what a call gets when the session is over.
var signedOut = func() error {
	st := grpcstatus.New(codes.Unauthenticated, ErrSignedOut.Error())
	if with, err := st.WithDetails(&errdetails.ErrorInfo{Domain: ownDomain, Reason: reasonSignedOut}); err == nil {
		st = with
	}
	return st.Err()
}()

// statusOf keeps "signed out", "your time is over" and "not now" apart for the
// caller of an RPC whose context is ctx. That a renewal ran out of its own time
// is "not now".
func statusOf(ctx context.Context, err error) error {
	switch {
	case SignedOut(err):
		return signedOut
	case ctx.Err() != nil:
		return grpcstatus.FromContextError(ctx.Err()).Err()
	case errors.Is(err, errClosed):
		return grpcstatus.Error(codes.Canceled, errClosed.Error())
	default:
		return grpcstatus.Error(codes.Unavailable, err.Error())
	}
}
