package revocation

import (
	"context"
	"math"
	"time"

	"github.com/curfew-platform/curfew/pkg/interceptors/identity"
)

// Source knows which tokens are revoked. Implementations are safe for
// concurrent use and, unless they are [Asking], do no I/O in Check.
type Source interface {
	// Check looks the identity up. The interceptor registers the call in the
	// in-flight index first and calls Check then, on every call, also when the
	// verified token came from a cache.
	Check(id *identity.Identity) Verdict
}

// Asking is a Source that asks a store on every call. The interceptor then calls
// CheckContext, which may wait; Check does the same within a bound of the
// source's own.
type Asking interface {
	Source
	// CheckContext looks the identity up. Where the store gives no answer in
	// time, nothing is known of this token: neither fresh nor stale, [Unknown].
	CheckContext(ctx context.Context, id *identity.Identity) Verdict
}

// Unknown is the StaleFor of a source that never had complete knowledge.
const Unknown = time.Duration(math.MaxInt64)

// Verdict is the answer of a [Source] about one identity.
type Verdict struct {
	// Revoked is true if a known rule revokes the token. It is final,
	// whether or not the knowledge is fresh.
	Revoked bool
	// Fresh is true if every revocation that has returned is known here.
	Fresh bool
	// StaleFor is the time since the knowledge was fresh: zero if it is,
	// [Unknown] if it never was.
	StaleFor time.Duration
}

// Admit decides under a staleness of at most maxStale, which is zero for a
// method that fails closed. It returns nil, [ErrRevoked] or [ErrStale].
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
