package auth_test

import (
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"github.com/curfew-platform/curfew/pkg/interceptors/status"
	"github.com/curfew-platform/curfew/services/auth"
)

// Each exchange above the cap of sessions ends one, and that is a rule in the
// feed of every service. A password costs a hash, and a token that somebody has
// costs nothing. Else one user fills the feed of all.
func TestOneUserOfAnExternalIssuerExchangesNoFasterThanThePace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, other := newProvider(t, "https://id.example.com"), newProvider(t, "https://other.example.com")
	r := w.start(t, w.believe(t, true, id, other), func(cfg *auth.Config) { cfg.ExchangeRate = 0.02 })
	r.exchange(t, id.token(t, "anna")) // the least burst is one, and the next one is due in 50 s
	_, err := r.tryExchange(t, id.token(t, "anna"))
	if status.Code(err) != codes.ResourceExhausted || status.Reason(err) != "RATE_LIMITED" {
		t.Errorf("one more: %v", err)
	}
	if retry := status.Detail[*errdetails.RetryInfo](err); retry == nil || retry.GetRetryDelay().AsDuration() <= 0 || retry.GetRetryDelay().AsDuration() > 50*time.Second {
		t.Errorf("it is to be tried again after %v", retry)
	}
	// Who is somebody else, there or at another issuer, does not wait.
	r.exchange(t, id.token(t, "bert"))
	r.exchange(t, other.token(t, "anna"))
}
