package revocation

import (
	"context"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
	"github.com/curfew-platform/curfew/pkg/interceptors/internal/contextkey"
)

// Guard checks a running call again. The chain puts one into the context of
// every call that has a token.
type Guard interface {
	// CommitGuard returns nil, or an error that says why the call must not go on.
	CommitGuard(ctx context.Context) error
}

// NewContext returns a context in which [CommitGuard] asks g. It is for tests of
// handlers, and for code that admits calls without the chain.
func NewContext(ctx context.Context, g Guard) context.Context {
	return context.WithValue(ctx, contextkey.Guard{}, g)
}

// CommitGuard checks again whether the call of ctx is still admitted. Call it in
// a handler right before a side effect: the token may have been revoked since the
// call began. It narrows the gap between check and effect; it cannot close it.
//
// CommitGuard returns nil, [ErrRevoked], [ErrStale], or the cause with which ctx
// ended. It returns [ErrUnguarded] if ctx does not come from the chain, or if the
// method is public, because then there is no token.
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

// Admission is a [Guard] that asks a source again.
type Admission struct {
	// Source is asked with CheckContext if it is a [ContextSource].
	Source Source
	// Identity is the caller.
	Identity *identity.Identity
	// MaxStale is the staleness that is admitted; zero fails closed.
	MaxStale time.Duration
}

// CommitGuard implements [Guard].
func (a *Admission) CommitGuard(ctx context.Context) error {
	if source, ok := a.Source.(ContextSource); ok {
		return source.CheckContext(ctx, a.Identity).Admit(a.MaxStale)
	}
	return a.Source.Check(a.Identity).Admit(a.MaxStale)
}
