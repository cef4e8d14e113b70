// Package token verifies access tokens: JSON Web Tokens in compact form (RFC 7515,
// RFC 7519), by the rules of RFC 8725 and RFC 9068.
//
// A [Verifier] has one [Profile] for each issuer that it trusts; start from [OIDC],
// [Curfew] or [Kubernetes]. The keys of an issuer come from [NewRemote], which finds
// and refreshes them, or from [NewStatic].
//
// Verification is strict. Whatever two parsers might read differently is refused:
// non-canonical base64, duplicate JSON members, trailing data, numbers that are not
// integers. The algorithm belongs to the key and is never chosen by the token.
// Nothing in a header can name, carry or fetch a key.
//
// A verified token is cached until it expires, so that a token that is used often
// costs one look-up. Whether it was revoked is not decided here: the chain asks a
// revocation source on every call, after the cache.
package token
