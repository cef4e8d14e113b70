package revocation

import "errors"

var (
	// ErrRevoked says that the token of a call was revoked. It is the cause
	// with which the contexts of running calls are cancelled, and ends a call
	// as UNAUTHENTICATED / TOKEN_REVOKED.
	ErrRevoked = errors.New("revocation: token revoked")

	// ErrStale says that this replica does not know the latest revocations and
	// that the method does not admit that. It ends a call as UNAVAILABLE /
	// REVOCATION_UNKNOWN, never as UNAUTHENTICATED: clients would log out.
	ErrStale = errors.New("revocation: latest revocations unknown")

	// ErrUnguarded says that [CommitGuard] was called with a context that did
	// not pass the interceptors, or of a method that needs no token, so that
	// nothing is known about one.
	ErrUnguarded = errors.New("revocation: context carries no guard")
)
