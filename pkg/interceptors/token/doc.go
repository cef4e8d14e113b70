// Package token verifies access tokens: compact JWS (RFC 7515) with the rules
// of RFC 8725 and RFC 9068, under one Profile per issuer.
//
// Verification is strict on purpose. What two parsers could read differently
// is refused: non-canonical base64, duplicate JSON members, trailing data,
// numbers that are not integers. The algorithm is a property of the key, never
// of the token. Nothing in a header can name, carry or fetch a key.
//
// A verified token is remembered by its whole text until it expires, so a
// hot token costs one look-up. Whether it was revoked is not this package's
// question: that check runs on every call, after this one.
package token
