package rpc

import (
	"context"
	"errors"
	"fmt"
	"testing"

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
