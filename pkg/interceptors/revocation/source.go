package revocation

import (
	"context"
	"math"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// Source knows which tokens are revoked. Implementations must be safe for
// concurrent use. Check is on the path of every call and must not do I/O, unless
// the source is a [ContextSource].
type Source interface {
	// Check reports what is known about the token of id. The chain registers a
	// call in the in-flight index before it calls Check, and calls it for every
	// call, also when the verified token came from the cache.
	Check(id *identity.Identity) Verdict
}

// ContextSource is a [Source] that does I/O on every call: it asks a store or the
// issuer. The chain then calls CheckContext instead of Check. Check must do the
// same within a time limit of its own, or answer that nothing is known.
type ContextSource interface {
	Source
	// CheckContext is Check within the deadline of ctx. Without an answer in time
	// it returns a verdict that is not fresh and whose StaleFor is [Unknown].
	CheckContext(ctx context.Context, id *identity.Identity) Verdict
}

// Unknown is the [Verdict.StaleFor] of a source that has never known all
// revocations.
const Unknown = time.Duration(math.MaxInt64)

// Verdict is what a [Source] knows about one token.
type Verdict struct {
	// Revoked is true if a known rule revokes the token. That is final, whether
	// or not the knowledge is fresh.
	Revoked bool
	// Fresh is true if the source knows every revocation whose revoking call has
	// returned.
	Fresh bool
	// StaleFor is the time since the knowledge was last fresh: zero if it is
	// fresh now, [Unknown] if it never was.
	StaleFor time.Duration
}

// Admit returns nil if the call may go on although the knowledge may be stale by
// up to maxStale, which is zero for a method that fails closed. Otherwise it
// returns [ErrRevoked] or [ErrStale].
func (v Verdict) Admit(maxStale time.Duration) error {
	switch {
	case v.Revoked:
		return ErrRevoked
	case v.Fresh, maxStale > 0 && v.StaleFor != Unknown && v.StaleFor <= maxStale:
		return nil
	default:
		return ErrStale
	}
}
