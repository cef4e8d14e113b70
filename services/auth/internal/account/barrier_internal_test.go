package account

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Clients take UNAVAILABLE as "try again, nothing is known", and a bare
// DEADLINE_EXCEEDED as their own.
func TestACommitThatTakesTooLongIsAnUnavailableStoreAndNoDeadlineOfTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := (&Service{}).revoke(t.Context(), func(ctx context.Context) (int64, error) {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})
		if !errors.Is(err, ErrStoreUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		if d := time.Since(start); d != commitLimit {
			t.Errorf("after %v", d)
		}
	})
}
