// Package revocation answers one question about a verified token: has it been
// revoked?
//
// The chain asks a [Source] on every call. The sources differ in what they
// promise; docs/revocation.md compares them:
//
//   - package none knows nothing: a token is good until it expires;
//   - package memory is exact within one process;
//   - packages redis, postgres and introspection do one round trip for every call
//     ([ContextSource]);
//   - package watcher follows the leased feed: a token is refused by every replica
//     before the revoking call returns, and no call needs a look-up.
//
// A revocation is a [Rule]. A [Set] of rules is immutable and only grows: adding
// rules twice, or in another order, gives the same set. Handlers ask once more
// before a side effect with [CommitGuard].
//
// DESIGN.md in this folder states the guarantee of the leased feed and its limits.
package revocation
