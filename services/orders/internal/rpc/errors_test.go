package rpc

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	ordersv1 "github.com/curfew-platform/curfew/proto/gen/curfew/orders/v1"
	"github.com/curfew-platform/curfew/services/orders/internal/order"
)

func TestWhatTheDatabaseDidNotDoSaysWhetherToTryAgain(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]struct {
		code   codes.Code
		reason ordersv1.ErrorReason
	}{
		order.ErrContention:  {codes.Aborted, ordersv1.ErrorReason_ERROR_REASON_CONTENTION},
		order.ErrUnavailable: {codes.Unavailable, ordersv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE},
		order.ErrTooLong:     {codes.DeadlineExceeded, ordersv1.ErrorReason_ERROR_REASON_QUERY_TOO_LONG},
	} {
		if err := fail(fmt.Errorf("query: %w", cause)); status.Code(err) != want.code || status.Reason(err) != status.Name(want.reason) {
			t.Errorf("%v: got %v, %q", cause, err, status.Reason(err))
		}
	}
}
