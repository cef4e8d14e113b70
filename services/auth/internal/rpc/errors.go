package rpc

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/pkg/server/pagetoken"
	authv1 "github.com/curfew-platform/curfew/proto/gen/curfew/auth/v1"
	authzv1 "github.com/curfew-platform/curfew/proto/gen/curfew/authz/v1"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
	"github.com/curfew-platform/curfew/services/auth/internal/external"
	"github.com/curfew-platform/curfew/services/auth/internal/password"
	"github.com/curfew-platform/curfew/services/auth/internal/servicetoken"
	"github.com/curfew-platform/curfew/services/auth/internal/signingkey"
)

// Domains of the reasons.
const (
	domain      = "auth.curfew.dev"
	authzDomain = "authz.curfew.dev"
)

// Waits that are asked of clients.
const (
	busyRetry    = time.Second
	changedRetry = 100 * time.Millisecond
)

// errStalled: the process stood still, and the call may have waited in it.
var errStalled = errors.New("process stood still")

// refusal is how one error of the use cases looks outside.
type refusal struct {
	err     error
	code    codes.Code
	reason  authv1.ErrorReason
	message string
	details []proto.Message
}

// refusals are all of them; what is not here is Internal.
//
//nolint:gochecknoglobals // A constant table.
var refusals = []refusal{
	{account.ErrEmailInvalid, codes.InvalidArgument, authv1.ErrorReason_ERROR_REASON_EMAIL_INVALID, "the address is not valid", details(status.Field("email", "not a valid address"))},
	{account.ErrEmailTaken, codes.AlreadyExists, authv1.ErrorReason_ERROR_REASON_EMAIL_TAKEN, "the address belongs to another user", nil},
	{account.ErrCredentialsInvalid, codes.Unauthenticated, authv1.ErrorReason_ERROR_REASON_CREDENTIALS_INVALID, "the address or the password is wrong", nil},
	{account.ErrUserDeactivated, codes.PermissionDenied, authv1.ErrorReason_ERROR_REASON_USER_DEACTIVATED, "the user is deactivated", nil},
	{account.ErrUserNotFound, codes.NotFound, authv1.ErrorReason_ERROR_REASON_USER_NOT_FOUND, "no such user", nil},
	{account.ErrSessionNotFound, codes.NotFound, authv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND, "no such session", nil},
	{account.ErrRoleInvalid, codes.InvalidArgument, authv1.ErrorReason_ERROR_REASON_ROLE_INVALID, "a role does not exist", details(status.Field("roles", "each is one of customer, admin, operator"))},
	{account.ErrAccountChanged, codes.Aborted, authv1.ErrorReason_ERROR_REASON_ACCOUNT_CHANGED, "the account changed meanwhile; try again", details(status.Retry(changedRetry))},
	{account.ErrPasswordUnchanged, codes.InvalidArgument, authv1.ErrorReason_ERROR_REASON_PASSWORD_UNCHANGED, "the new password is the current one", details(status.Field("new_password", "is the current one"))},
	{account.ErrRefreshUnknown, codes.Unauthenticated, authv1.ErrorReason_ERROR_REASON_REFRESH_UNKNOWN, "the refresh token is unknown", nil},
	{account.ErrRefreshExpired, codes.Unauthenticated, authv1.ErrorReason_ERROR_REASON_REFRESH_EXPIRED, "the session has expired", nil},
	{account.ErrRefreshReused, codes.Unauthenticated, authv1.ErrorReason_ERROR_REASON_REFRESH_REUSED, "the refresh token was used before; the session is ended", nil},
	{account.ErrSessionRevoked, codes.Unauthenticated, authv1.ErrorReason_ERROR_REASON_SESSION_REVOKED, "the session was ended", nil},
	{account.ErrStoreUnavailable, codes.Unavailable, authv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE, "the service cannot reach its database; try again", details(status.Retry(busyRetry))},
	{account.ErrBusy, codes.Unavailable, authv1.ErrorReason_ERROR_REASON_BUSY, "too many revocations wait; try again", details(status.Retry(busyRetry))},
	{password.ErrTooShort, codes.InvalidArgument, authv1.ErrorReason_ERROR_REASON_PASSWORD_TOO_SHORT, "the password is shorter than 8 characters", nil},
	{password.ErrTooLong, codes.InvalidArgument, authv1.ErrorReason_ERROR_REASON_PASSWORD_TOO_LONG, "the password is longer than 128 characters", nil},
	{password.ErrBreached, codes.InvalidArgument, authv1.ErrorReason_ERROR_REASON_PASSWORD_BREACHED, "the password is one that attackers try first", nil},
	{password.ErrBusy, codes.Unavailable, authv1.ErrorReason_ERROR_REASON_BUSY, "too many passwords wait to be checked", details(status.Retry(busyRetry))},
	{errStalled, codes.Unavailable, authv1.ErrorReason_ERROR_REASON_BUSY, "the server stood still; try again", details(status.Retry(busyRetry))},
	{signingkey.ErrNotFound, codes.NotFound, authv1.ErrorReason_ERROR_REASON_SIGNING_KEY_NOT_FOUND, "no such signing key", nil},
	{account.ErrPasswordNotSet, codes.FailedPrecondition, authv1.ErrorReason_ERROR_REASON_PASSWORD_NOT_SET, "the user has no password", nil},
	{account.ErrExternalNone, codes.FailedPrecondition, authv1.ErrorReason_ERROR_REASON_EXTERNAL_ISSUERS_NOT_CONFIGURED, "no external issuer is configured here", nil},
	{account.ErrExternalUnknown, codes.PermissionDenied, authv1.ErrorReason_ERROR_REASON_EXTERNAL_USER_UNKNOWN, "nobody here is the subject of the token", nil},
	{account.ErrExternalRevoked, codes.Unauthenticated, authv1.ErrorReason_ERROR_REASON_EXTERNAL_TOKEN_INVALID, "the external token is not accepted", nil},
	{account.ErrExternalIssuerNotFound, codes.NotFound, authv1.ErrorReason_ERROR_REASON_EXTERNAL_ISSUER_NOT_FOUND, "nothing is known of this external issuer", nil},
	{account.ErrExternalIssuerOwn, codes.InvalidArgument, authv1.ErrorReason_ERROR_REASON_EXTERNAL_ISSUER_OWN, "this is the issuer of our own tokens", details(status.Field("issuer", "is not external"))},
	{account.ErrExternalIdentityTaken, codes.AlreadyExists, authv1.ErrorReason_ERROR_REASON_EXTERNAL_IDENTITY_TAKEN, "the subject is another user", nil},
	{account.ErrExternalIdentitiesTooMany, codes.FailedPrecondition, authv1.ErrorReason_ERROR_REASON_EXTERNAL_IDENTITIES_TOO_MANY, "the user has 16 external identities", nil},
	{external.ErrRefused, codes.Unauthenticated, authv1.ErrorReason_ERROR_REASON_EXTERNAL_TOKEN_INVALID, "the external token is not accepted", nil},
	{servicetoken.ErrAssertionInvalid, codes.Unauthenticated, authv1.ErrorReason_ERROR_REASON_ASSERTION_INVALID, "the assertion is not accepted", nil},
}

func details(d ...proto.Message) []proto.Message { return d }

// keysAway are errors that say nothing about a token: its keys cannot be had now.
//
//nolint:gochecknoglobals // A constant table.
var keysAway = []struct {
	err     error
	message string
}{
	{signingkey.ErrUnavailable, "the signing keys cannot be had now; try again"},
	{servicetoken.ErrKeysUnavailable, "the keys of the platform cannot be had now; try again"},
	{external.ErrUnavailable, "the keys of the external issuer cannot be had now; try again"},
}

// fail makes the status of an error. What is not known stays as it is, and the
// chain makes a generic Internal of it.
func fail(err error) error {
	if st := withData(err); st != nil {
		return st
	}
	for _, k := range keysAway {
		if errors.Is(err, k.err) {
			return status.WithCause(status.New(codes.Unavailable, authzDomain, authzv1.ErrorReason_ERROR_REASON_KEYS_UNAVAILABLE,
				k.message, status.Retry(busyRetry)), err)
		}
	}
	// A call that ended is judged by the chain, which knows why it did. A limit
	// of a connection to the database is none of a call.
	limited := errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, account.ErrStoreUnavailable)
	if limited || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, pagetoken.ErrInvalid) {
		return status.New(codes.InvalidArgument, authzDomain, authzv1.ErrorReason_ERROR_REASON_PAGE_TOKEN_INVALID,
			"the page token is not one of this list", status.Field("page_token", "not one of this list"))
	}
	if errors.Is(err, account.ErrRetryKeyRequired) {
		return status.New(codes.InvalidArgument, authzDomain, authzv1.ErrorReason_ERROR_REASON_REQUEST_INVALID,
			"a native session is refreshed with a retry key only", status.Field("retry_key", "required for a native session"))
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return status.WithCause(status.New(r.code, domain, r.reason, r.message, r.details...), err)
		}
	}
	return err
}

// withData returns the status of an error that says more than which one it is:
// how long to wait, or how far the call came. It is nil for others.
func withData(err error) error {
	if pending, ok := errors.AsType[*account.PendingError](err); ok {
		return revocationPending(pending)
	}
	if unfinished, ok := errors.AsType[*account.UnfinishedError](err); ok {
		return issuerUnfinished(unfinished)
	}
	if slow, ok := errors.AsType[*account.TooManyAttemptsError](err); ok {
		return status.New(codes.ResourceExhausted, domain, authv1.ErrorReason_ERROR_REASON_TOO_MANY_ATTEMPTS,
			"too many wrong passwords; wait", status.Retry(slow.RetryAfter))
	}
	if fast, ok := errors.AsType[*account.TooFastError](err); ok {
		return status.New(codes.ResourceExhausted, authzDomain, authzv1.ErrorReason_ERROR_REASON_RATE_LIMITED,
			"too many registrations from this network address; wait", status.Retry(fast.RetryAfter))
	}
	if fast, ok := errors.AsType[*account.TooManyExchangesError](err); ok {
		return status.New(codes.ResourceExhausted, authzDomain, authzv1.ErrorReason_ERROR_REASON_RATE_LIMITED,
			"too many sessions for this subject; refresh the one that there is, or wait", status.Retry(fast.RetryAfter))
	}
	if wait, ok := errors.AsType[*signingkey.NotReadyError](err); ok {
		return status.New(codes.FailedPrecondition, domain, authv1.ErrorReason_ERROR_REASON_SIGNING_KEY_NOT_READY,
			"the next signing key is not known everywhere yet; try again", status.Retry(wait.RetryAfter))
	}
	return nil
}

// revocationPending is no failure: the revocation is committed.
func revocationPending(p *account.PendingError) error {
	return status.NewWithMetadata(codes.DeadlineExceeded, domain, authv1.ErrorReason_ERROR_REASON_REVOCATION_PENDING,
		"the revocation is committed; AwaitRevocation waits until it is in force everywhere",
		map[string]string{
			"seq":         strconv.FormatInt(p.Seq, 10),
			"in_force_by": p.InForceBy.UTC().Format(time.RFC3339Nano),
		})
}

// issuerUnfinished is no failure either: what was ended is.
func issuerUnfinished(u *account.UnfinishedError) error {
	return status.NewWithMetadata(codes.Unavailable, domain, authv1.ErrorReason_ERROR_REASON_EXTERNAL_ISSUER_UNFINISHED,
		"the issuer is refused, and not all of its sessions are ended yet; repeat the call",
		map[string]string{"ended": strconv.FormatInt(u.Ended, 10)}, status.Retry(busyRetry))
}
