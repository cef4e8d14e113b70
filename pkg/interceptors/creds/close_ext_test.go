package creds_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curfew-platform/curfew/pkg/interceptors/creds"
)

// TestNothingIsRenewedAfterClose: a call may ask for the first token at the
// very moment of the end.
func TestNothingIsRenewedAfterClose(t *testing.T) {
	t.Parallel()
	for range 2_000 {
		var closed atomic.Bool
		r := creds.NewRefreshing(creds.SourceFunc(func(context.Context) (creds.Token, error) {
			if closed.Load() {
				t.Error("the source is asked after Close has returned")
			}
			return creds.Token{Value: "x"}, nil
		}))
		var calls sync.WaitGroup
		calls.Go(func() { _, _ = r.Token(t.Context()) })
		r.Close()
		closed.Store(true)
		calls.Wait()
		if t.Failed() {
			return
		}
	}
}
