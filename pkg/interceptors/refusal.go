package interceptors

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
)

// domain of the reasons of this package (authzv1.ErrorReason).
const domain = "authz.curfew.dev"

// retryDelay is what RetryInfo asks for while revocations or keys are unknown:
// about as long as getting a lease takes.
const retryDelay = time.Second

func refuse(code codes.Code, reason authzv1.ErrorReason, msg string, details ...proto.Message) error {
	return status.New(code, domain, reason, msg, details...)
}

func refuseRunning(reason authzv1.ErrorReason, msg string) error {
	return status.NewWithMetadata(codes.Unauthenticated, domain, reason, msg, map[string]string{"admitted": "true"})
}

// The refusals without parameters, made once. Their texts say nothing about
// why a token is bad: that is for the log of the server.
var (
	errInternal     = status.Plain(codes.Internal, "internal error")
	errTokenMissing = refuse(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_MISSING, "an access token is required")
	errTokenBad     = refuse(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_MALFORMED, "the access token is not acceptable")
	errTokenExpired = refuse(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED, "the access token has expired")
	errTokenRevoked = refuse(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_REVOKED, "the access token was revoked")
	// The two of a handler that had begun: whether it is repeated with a new
	// token is for who knows what it does.
	errCutRevoked    = refuseRunning(authzv1.ErrorReason_ERROR_REASON_TOKEN_REVOKED, "the access token was revoked")
	errCutExpired    = refuseRunning(authzv1.ErrorReason_ERROR_REASON_TOKEN_EXPIRED, "the access token has expired")
	errTokenAudience = refuse(codes.Unauthenticated, authzv1.ErrorReason_ERROR_REASON_TOKEN_WRONG_AUDIENCE, "the access token is for another audience")
	errDenied        = refuse(codes.PermissionDenied, authzv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED, "permission denied")
	errUnknown       = refuse(codes.Unavailable, authzv1.ErrorReason_ERROR_REASON_REVOCATION_UNKNOWN,
		"the latest revocations are not known here, try again", status.Retry(retryDelay))
	errKeys = refuse(codes.Unavailable, authzv1.ErrorReason_ERROR_REASON_KEYS_UNAVAILABLE,
		"the keys of the token's issuer are not known here, try again", status.Retry(retryDelay))
	errMetadata  = refuse(codes.ResourceExhausted, authzv1.ErrorReason_ERROR_REASON_LIMIT_EXCEEDED, "too much metadata")
	errMessage   = refuse(codes.ResourceExhausted, authzv1.ErrorReason_ERROR_REASON_LIMIT_EXCEEDED, "message too large")
	errEncoding  = refuse(codes.InvalidArgument, authzv1.ErrorReason_ERROR_REASON_REQUEST_INVALID, "the request cannot be decoded")
	errRequestID = refuse(codes.InvalidArgument, authzv1.ErrorReason_ERROR_REASON_REQUEST_ID_REQUIRED,
		"a request_id is required", status.Field("request_id", "must be a UUID"))
)
