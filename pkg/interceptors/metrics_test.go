package interceptors

import (
	"context"
	"testing"
)

type names map[string]int

func (n names) Began(_ context.Context, method string) { n[method]++ }
func (n names) Ended(_ context.Context, f CallStats)   { n[f.Method]++ }

// Names that clients invent must not become attributes: each would be a series
// of its own for ever. They reach a chain through grpc.UnknownServiceHandler.
func TestMethodsThatNobodyRegisteredAreCountedAsOne(t *testing.T) {
	seen := names{}
	l := metricsLink(seen)
	for _, method := range []string{"/a/b", "/c/d"} {
		c := &call{method: method}
		ctx, err := l.before(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		c.ctx = ctx
		_ = l.after(c, errDenied)
	}
	if len(seen) != 1 || seen[OtherMethod] != 4 {
		t.Errorf("%v", seen)
	}
}
