package revocation

import "errors"

// The errors of [Verdict.Admit] and [CommitGuard]; compare with errors.Is.
var (
	// ErrRevoked says that the token of the call was revoked. It is also the
	// cause with which the contexts of running calls are cancelled. The chain
	// answers such a call UNAUTHENTICATED / TOKEN_REVOKED.
	ErrRevoked = errors.New("revocation: token revoked")

	// ErrStale says that this replica does not know the latest revocations and
	// that the method does not admit that. The chain answers such a call
	// UNAVAILABLE / REVOCATION_UNKNOWN, never UNAUTHENTICATED, on which clients
	// would log their users out.
	ErrStale = errors.New("revocation: latest revocations unknown")

	// ErrUnguarded says that [CommitGuard] cannot know anything: its context did
	// not come from the chain, or the method is public and has no token.
	ErrUnguarded = errors.New("revocation: context carries no guard")
)
