package rpc

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

func TestWhatTheDatabaseDidNotDoSaysWhetherToTryAgain(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]codes.Code{
		order.ErrContention:  codes.Aborted,
		order.ErrUnavailable: codes.Unavailable,
		order.ErrTooLong:     codes.DeadlineExceeded,
	} {
		if err := fail(fmt.Errorf("query: %w", cause)); status.Code(err) != want {
			t.Errorf("%v: got %v", cause, err)
		}
	}
}
