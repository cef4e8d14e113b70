// Package revocation decides whether a verified token has been revoked.
//
// The interceptor asks one small interface, [Source], on every call. What a
// source promises differs: package none promises nothing, package memory is
// exact within one process, and package watcher follows the leased feed, which
// is exact in every replica before the revoking call returns. These do no I/O.
// Packages introspection, redis and postgres are [Asking]: a round trip for
// every call. docs/revocation.md compares them all, and DESIGN.md in this folder
// has the guarantee of the feed and its limits.
//
// What is revoked is a set of [Rule] values. A [Set] is immutable and grows
// monotonically: applying rules twice, or in another order, gives the same set.
package revocation
