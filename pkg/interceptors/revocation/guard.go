package revocation

import (
	"context"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/contextkey"
)

// Guard looks once more whether a running call may still have its effect.
type Guard interface {
	// CommitGuard returns nil, or why the call must not go on.
	CommitGuard(ctx context.Context) error
}

// NewContext returns a context whose [CommitGuard] asks g, for code that admits
// calls without the interceptors. The context of a call that they admitted has
// a guard already.
func NewContext(ctx context.Context, g Guard) context.Context {
	return context.WithValue(ctx, contextkey.Guard{}, g)
}

// CommitGuard looks at lease and set once more. A handler calls it right
// before a side effect: the call was admitted when it began, and may have been
// revoked since. It returns nil, [ErrRevoked], [ErrStale], the cause with which
// ctx ended, or [ErrUnguarded] if ctx did not come through the interceptors, or
// is of a public method, which has no token.
// It narrows the gap between check and effect and cannot close it.
func CommitGuard(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	g, ok := ctx.Value(contextkey.Guard{}).(Guard)
	if !ok {
		return ErrUnguarded
	}
	return g.CommitGuard(ctx)
}

// Admission is the [Guard] of a call that a source admitted.
type Admission struct {
	// Source is asked again.
	Source Source
	// Identity is the caller.
	Identity *identity.Identity
	// MaxStale is the staleness that the method admits; zero fails closed.
	MaxStale time.Duration
}

// CommitGuard implements [Guard].
func (a *Admission) CommitGuard(context.Context) error {
	return a.Source.Check(a.Identity).Admit(a.MaxStale)
}
