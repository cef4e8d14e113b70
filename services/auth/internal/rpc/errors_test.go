package rpc

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/services/auth/internal/account"
)

// Else a client that a paused database kept waiting is told of an internal
// error, and does not try again.
func TestALimitOfTheConnectionToTheDatabaseIsNoEndOfACall(t *testing.T) {
	limit := fmt.Errorf("set roles: %w: failed to connect: %w", account.ErrStoreUnavailable, context.DeadlineExceeded)
	if reason := status.Reason(fail(limit)); reason != "STORE_UNAVAILABLE" {
		t.Errorf("reason %q", reason)
	}
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if err := fail(fmt.Errorf("set roles: %w", ended)); status.Reason(err) != "" || !errors.Is(err, ended) {
			t.Errorf("a call that ended is judged here: %v", err)
		}
	}
}

// Who repeats the call until it is done adds up what each has ended.
func TestARevocationOfAnIssuerThatGoesOnSaysWhatItHasEnded(t *testing.T) {
	err := fail(fmt.Errorf("revoke: %w", &account.UnfinishedError{Ended: 7000}))
	if got := status.Info(err); got.GetReason() != "EXTERNAL_ISSUER_UNFINISHED" || got.GetMetadata()["ended"] != "7000" {
		t.Errorf("%v", got)
	}
	if status.Code(err) != codes.Unavailable || status.Detail[*errdetails.RetryInfo](err).GetRetryDelay().AsDuration() <= 0 {
		t.Errorf("not to be repeated: %v", err)
	}
}
