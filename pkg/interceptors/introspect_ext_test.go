package interceptors_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors"
	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/shop"
	"github.com/curfew-platform/curfew/pkg/interceptors/revocation"
	"github.com/curfew-platform/curfew/pkg/interceptors/token"
)

// silent is an issuer that takes the question and never answers.
type silent struct{ t *testing.T }

func (s silent) Introspect(ctx context.Context, _ *identity.Identity, _ token.Raw) error {
	// What is left, since a machine with much else to do may take longer for it.
	if end, _ := ctx.Deadline(); time.Until(end) > 5*time.Second { // half of the call's deadline
		s.t.Errorf("the issuer has until %v", end)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestAnIssuerThatIsAskedAndSaysNothingDoesNotHoldTheCall(t *testing.T) {
	h := newHarness(t, &shop.Server{}, func(c *interceptors.Config) {
		c.Revocation, c.Introspector = stale{age: revocation.Unknown}, silent{t}
	})
	err := shop.Call(with(t, h.issuer.Service(t, "orders")), h.conn, "Peek", shop.Message{})
	want(t, err, codes.Unavailable, "REVOCATION_UNKNOWN")
}
